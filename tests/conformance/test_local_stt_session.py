"""The ear in a real `AgentSession`: the language model is asked in the pause, and once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession, UserInputTranscribedEvent
from livekit.agents.utils import aio
from livekit.agents.voice import io
from livekit.plugins import local
from livekit.plugins.local.engine.stt import stream as stream_module

from tests.conformance.kit import vad as vad_module
from tests.conformance.kit.session_devices import Loudspeaker
from tests.conformance.kit.session_llm import ScriptedLLM
from tests.conformance.kit.vad import LoudnessVAD
from tests.support.engine import run_engine
from tests.support.sounds import sound
from tests.unit.test_engine_stream import LoudIsSpeech

pytestmark = pytest.mark.conformance


class Line(io.AudioInput):
    """What the caller says, as fast as the session takes it."""

    def __init__(self) -> None:
        super().__init__(label="line")
        self._frames: aio.Chan[rtc.AudioFrame] = aio.Chan()

    def hear(self, seconds: float, *, loud: bool) -> None:
        for _ in range(round(seconds / 0.05)):
            self._frames.send_nowait(sound(0.05, loud=loud))

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.__anext__()


class Call:
    """A session that answers, and the order in which things happened.

    Attributes:
        line: The caller.
        events: ``asked TEXT``, ``final TEXT`` and ``answered``, in order.
    """

    def __init__(self, session: AgentSession[Any], line: Line, events: list[str]) -> None:
        self.line = line
        self.events = events
        self.session = session

    async def until(self, condition: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(10):
                while not condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pytest.fail(f"it did not come: {self.events}")


class Model(ScriptedLLM):
    """Notes when it is asked."""

    def __init__(self, events: list[str]) -> None:
        super().__init__(*["all right."] * 9)
        self._order = events

    def chat(self, **arguments: Any) -> Any:
        stream = super().chat(**arguments)
        self._order.append(f"asked {self.asked[-1].text}")
        return stream


@pytest.fixture
async def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Call]:
    monkeypatch.setattr(stream_module, "VoiceActivity", LoudIsSpeech)
    # The pauses of these callers are longer than what the engine needs, and shorter than this.
    monkeypatch.setattr(vad_module, "_SILENCE_SECONDS", 0.5)
    async with run_engine(tmp_path) as engine:
        ear, voice = local.STT(engine=engine.address), local.TTS(engine=engine.address)
        events: list[str] = []
        session: AgentSession[Any] = AgentSession(
            stt=ear,
            llm=Model(events),
            tts=voice,
            vad=LoudnessVAD(),
            turn_handling={
                "turn_detection": "vad",
                "endpointing": {"mode": "fixed", "min_delay": 0.0, "max_delay": 0.5},
                "interruption": {"mode": "vad"},
                "preemptive_generation": {"enabled": True, "max_retries": 3},
            },
            aec_warmup_duration=None,
            session_close_transcript_timeout=0.1,
        )

        @session.on("user_input_transcribed")
        def _transcribed(event: UserInputTranscribedEvent) -> None:
            if event.is_final:
                events.append(f"final {event.transcript}")

        line, loudspeaker = Line(), Loudspeaker()

        @loudspeaker.on("playback_finished")
        def _spoken(_: io.PlaybackFinishedEvent) -> None:
            events.append("answered")

        session.input.audio, session.output.audio = line, loudspeaker
        await session.start(Agent(instructions=""), record=False, session_host=False)
        yield Call(session, line, events)
        await session.aclose()
        await asyncio.gather(ear.aclose(), voice.aclose())


async def test_the_model_is_asked_in_the_pause_and_not_again(call: Call) -> None:
    call.line.hear(1.0, loud=True)
    call.line.hear(0.3, loud=False)
    await call.until(lambda: "asked 1.0" in call.events)
    assert call.events == ["asked 1.0"], "the turn was over already"
    call.line.hear(0.5, loud=False)
    await call.until(lambda: "answered" in call.events)
    assert call.events == ["asked 1.0", "final 1.0", "answered"]


async def test_a_caller_who_goes_on_is_answered_for_all_of_it(call: Call) -> None:
    for text in ("1.0", "2.0"):
        call.line.hear(1.0, loud=True)
        call.line.hear(0.3, loud=False)
        asked = f"asked {text}"
        await call.until(partial(call.events.__contains__, asked))
    call.line.hear(0.5, loud=False)
    await call.until(lambda: "answered" in call.events)
    assert call.events == ["asked 1.0", "asked 2.0", "final 2.0", "answered"]


async def test_interims_do_not_ask_the_model(call: Call) -> None:
    call.line.hear(4.0, loud=True)
    heard = asyncio.Event()
    call.session.on("user_input_transcribed", lambda _: heard.set())
    await asyncio.wait_for(heard.wait(), 10)
    assert call.events == []
