"""Real Chromium, driven by Playwright."""

import shutil
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright

from tests.browser.caller import MICROPHONE_FLAGS, VIRTUAL_MICROPHONE, Caller
from tests.support.stack import Stack

MICROPHONE_RATE = 48_000
# Chromium repeats the last buffer of the file for ever, so the file has to end in silence.
_TAIL_SECONDS = 90

# Notes of the browser and of the LiveKit client that a server did not answer: no error of the page.
_REFUSALS = (
    "Failed to load resource",
    "WebSocket connection to",
    "room connection has timed out",
)

OpenPage = Callable[[Sequence[str]], Awaitable[Page]]
OpenCaller = Callable[[], Awaitable[Caller]]


@pytest.fixture
async def open_page() -> AsyncIterator[OpenPage]:
    """Open an empty page in a new Chromium with the given flags; it fails on any page error."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    assert executable, "Chromium is missing; `make` installs it"
    errors: list[str] = []

    def note_error(line: ConsoleMessage) -> None:
        if line.type == "error" and not line.text.startswith(_REFUSALS):
            errors.append(line.text)

    async with async_playwright() as playwright:

        async def open_page(flags: Sequence[str]) -> Page:
            browser = await playwright.chromium.launch(
                executable_path=executable, args=["--no-sandbox", *flags]
            )
            page = await browser.new_page(locale="en-GB")
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", note_error)
            return page

        yield open_page
    assert errors == []


@pytest.fixture
async def open_caller(stack: Stack, open_page: OpenPage) -> AsyncIterator[OpenCaller]:
    """Open the stack's page for someone whose microphone says what the test wants."""
    callers: list[Caller] = []

    async def open_caller() -> Caller:
        page = await open_page(MICROPHONE_FLAGS)
        await page.add_init_script(VIRTUAL_MICROPHONE)
        await page.goto(stack.page_url)
        callers.append(Caller(page))
        return callers[-1]

    yield open_caller
    for caller in callers:
        await caller.hang_up()


@pytest.fixture
def microphone_flags(tmp_path: Path) -> Callable[[np.ndarray, float], list[str]]:
    """Return Chromium's flags for a microphone that hears int16 samples at 48 kHz.

    The second argument is the silence before them, in seconds from the opening of the microphone.
    """

    def flags(speech: np.ndarray, lead_in: float) -> list[str]:
        path = tmp_path / "microphone.wav"
        silence = np.zeros(round(lead_in * MICROPHONE_RATE), np.int16)
        tail = np.zeros(_TAIL_SECONDS * MICROPHONE_RATE, np.int16)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(MICROPHONE_RATE)
            file.writeframes(np.concatenate([silence, speech, tail]).astype("<i2").tobytes())
        return [
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            "--autoplay-policy=no-user-gesture-required",
            f"--use-file-for-fake-audio-capture={path}%noloop",
        ]

    return flags
