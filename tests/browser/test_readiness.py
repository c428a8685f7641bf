"""A first start with a slow network: what a caller sees, and when the agent comes."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from livekit.plugins.local.models import default_manifest
from playwright.async_api import expect

from agent.bench.engine import Engine
from agent.livekit.binary import server_command
from agent.readiness import Readiness
from agent.readiness_feed import first, told_by
from agent.settings import Settings
from tests.browser.caller import MICROPHONE_FLAGS, PATIENCE_MS, VIRTUAL_MICROPHONE, Caller
from tests.browser.conftest import OpenPage
from tests.support.models_origin import Fault, run_origin
from tests.support.scripted_llm import run_llm
from tests.support.stack import Stack, launch

pytestmark = pytest.mark.browser

EARS, VOICE = "whisper-base", "kokoro-82m-q8"
KOKORO = "tts:kokoro"
ANSWERS = {"first": "This is one answer.", "second": "And here comes another reply."}


@dataclass
class Slow:
    """A stack whose models come from a hub that holds back the ends of two files.

    Attributes:
        stack: The stack, not ready.
        ears: Lets the recogniser come.
        voice: Lets the chosen voice come.
    """

    stack: Stack
    ears: Fault
    voice: Fault

    async def stand_ins(self) -> float:
        """Return how many clauses another voice has spoken for the chosen one."""
        return await Engine(self.stack.env["ENGINE_URL"], None).stand_ins()


@pytest.fixture
async def slow(
    settings: Settings, models: Callable[[str], Path], tmp_path: Path
) -> AsyncIterator[Slow]:
    manifest = default_manifest()
    (server, *_) = await server_command(settings, lambda _: None)
    async with AsyncExitStack() as resources:
        hub = await resources.enter_async_context(run_origin())
        hub.chunk = 1 << 17
        faults = {}
        for name in (EARS, VOICE, "kokoro-voices"):
            entry = manifest[name]
            for file in entry.files:
                content = await asyncio.to_thread((models(name) / file.name).read_bytes)
                path = hub.add_hub_file(entry, file, content)
                if file.size > 50_000_000:
                    # What `up` has begun to fetch, the engine goes on with, in another answer.
                    fault = Fault(hold_at=file.size // 2, trickle=0.5)
                    faults[name] = hub.faults[path] = fault
        llm = await resources.enter_async_context(run_llm(ANSWERS))
        stack = launch(
            tmp_path,
            ELOQUENCE_CACHE_DIR=str(tmp_path / "cache"),
            LIVEKIT_SERVER_BIN=server,
            HF_ENDPOINT=hub.url,
            HF_TOKEN="",
            LLM_BASE_URL=llm,
            STT_MODEL=EARS,
            # No small recogniser of this machine knows both.
            LANGUAGES="en,fr",
            TTS_VOICES="en=kokoro/af_heart,fr=kokoro/ff_siwis",
        )
        stack.page_url = f"http://127.0.0.1:{stack.env['WEB_PORT']}"
        try:
            yield Slow(stack, faults[EARS], faults[VOICE])
        finally:
            for fault in faults.values():
                fault.release.set()
            await asyncio.to_thread(stack.stop)
            print(stack.output)  # shown when the test fails


async def test_an_early_call_is_held_and_a_better_voice_is_used_when_it_arrives(
    slow: Slow, open_page: OpenPage, tmp_path: Path
) -> None:
    stack = slow.stack
    await asyncio.to_thread(stack.wait_for, "serving the page")
    page = await open_page(MICROPHONE_FLAGS)
    await page.add_init_script(VIRTUAL_MICROPHONE)
    await page.goto(stack.page_url)
    caller = Caller(page)
    hearing = page.locator("#progress-parts li").filter(has_text="Hearing")
    voice = page.locator("#progress-parts li").filter(has_text="kokoro")

    # Nothing hears yet: the call is held, for longer than an agent is waited for otherwise.
    await expect(hearing).to_contain_text("downloading", timeout=PATIENCE_MS)
    await expect(hearing.get_by_role("progressbar")).to_be_visible()
    await caller.call_button.click()
    await expect(caller.status).to_contain_text("still getting ready", timeout=PATIENCE_MS)
    await asyncio.wait_for(slow.ears.reached.wait(), 60)
    await asyncio.wait_for(slow.voice.reached.wait(), 60)
    await page.screenshot(path=tmp_path / "held.png")
    assert re.search(r"engine +\| \[stt: downloading \d+ %\]", stack.output)

    # The ears arrive: the agent comes into that very room, and speaks with the voice at hand.
    slow.ears.release.set()
    await expect(caller.agent_lines).to_have_count(1, timeout=PATIENCE_MS)
    await caller.hears_the_agent_out()
    await expect(voice).to_contain_text("MB")
    await page.screenshot(path=tmp_path / "stand-in.png")
    await caller.types("The first question.")
    await caller.reads("one answer")
    await caller.hears_the_agent_out()
    before = await slow.stand_ins()
    assert before >= 2, "greeting and answer were spoken by another voice"

    # The voice arrives: the next answer is spoken by it, in the same call.
    slow.voice.release.set()

    def loaded(answer: Readiness | None) -> bool:
        return answer is not None and answer.components[KOKORO].state in ("warming", "ready")

    async with asyncio.timeout(60):
        await first(told_by(stack.env["ENGINE_URL"]), loaded)
    await caller.types("The second question.")
    await caller.reads("another reply")
    await caller.hears_the_agent_out()
    assert await slow.stand_ins() == before
    await caller.hang_up()
