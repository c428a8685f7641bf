"""A person in front of the page: speaks, reads, presses."""

import base64
import re
from typing import Final

import numpy as np
from playwright.async_api import Locator, Page, expect

PATIENCE_MS: Final = 60_000

# The devices are Chromium's fake ones and are really opened; their sound is replaced by what the
# test says, because a microphone that plays a file cannot wait for an answer.
VIRTUAL_MICROPHONE: Final = """
(() => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  let context, output;
  window.devicesAsked = [];
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const device = await open(constraints);
    window.devicesAsked.push(device.getAudioTracks()[0].getSettings().deviceId);
    for (const track of device.getTracks()) track.stop();
    context ??= new AudioContext({ sampleRate: 48000 });
    output = context.createMediaStreamDestination();
    return output.stream;
  };
  window.speak = (base64) => new Promise((done) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const samples = Float32Array.from(new Int16Array(bytes.buffer), (value) => value / 32768);
    const buffer = context.createBuffer(1, samples.length, 48000);
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(output);
    source.onended = done;
    source.start();
  });
})();
"""
MICROPHONE_FLAGS: Final = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
_LISTENING: Final = re.compile("^(Listening|À l'écoute)$")


class Caller:
    """Uses one page with a virtual microphone."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.status = page.get_by_role("status")
        self.agent_lines = page.get_by_role("log").locator(".agent .text")
        self.user_lines = page.get_by_role("log").locator(".user:not([aria-busy=true]) .text")
        self.interim_lines = page.get_by_role("log").locator(".user[aria-busy=true] .text")
        self.receipts = page.locator(".receipt")
        self.call_button = page.locator("#call-button")
        self.mute_button = page.locator("#mute-button")

    async def call(self) -> None:
        """Place a call and listen to the greeting."""
        await self.call_button.click()
        await expect(self.agent_lines).to_have_count(1, timeout=PATIENCE_MS)
        await self.hears_the_agent_out()

    async def hang_up(self) -> None:
        """End the call if there is one."""
        if await self.mute_button.is_enabled():
            await self.call_button.click()
            await expect(self.mute_button).to_be_disabled()

    async def hears_the_agent_out(self) -> None:
        """Wait until the agent listens."""
        await expect(self.status).to_have_text(_LISTENING, timeout=PATIENCE_MS)

    async def says(self, samples: np.ndarray) -> None:
        """Speak int16 samples at 48 kHz; return after the last one."""
        await self.page.evaluate(
            "speech => window.speak(speech)",
            base64.b64encode(samples.astype("<i2").tobytes()).decode(),
        )

    async def types(self, text: str) -> None:
        """Send the agent a message."""
        message = self.page.locator("#message")
        await message.fill(text)
        await message.press("Enter")

    async def reads(self, text: str) -> Locator:
        """Wait for a line of the agent that contains ``text``."""
        line = self.agent_lines.filter(has_text=text)
        await expect(line.first).to_be_visible(timeout=PATIENCE_MS)
        return line

    async def token(self) -> str:
        """Return the token of the running call, as the page keeps it for a reload."""
        kept = "JSON.parse(sessionStorage.getItem('eloquence.call')).token"
        token: str = await self.page.evaluate(kept)
        return token

    async def level(self, element_id: str) -> float:
        """Return what a level meter shows, 0 to 1."""
        shown = f"document.getElementById('{element_id}').style.getPropertyValue('--level')"
        return float(await self.page.evaluate(shown) or 0)

    async def sees_level_above(self, element_id: str, least: float) -> None:
        """Wait until a level meter has risen above ``least``."""
        await self.page.wait_for_function(
            "([id, least]) =>"
            " document.getElementById(id).style.getPropertyValue('--level') > least",
            arg=[element_id, least],
            polling=50,
        )
