"""What the framework does with sessions that an agent must know; these fail when it changes.

Each says which code of ours relies on what it pins.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    APIConnectOptions,
    JobContext,
    inference,
    tts,
)
from livekit.agents.voice.agent_session import SessionConnectOptions

from tests.conformance.kit import deadlines
from tests.conformance.kit.scripted import (
    ScriptedHearing,
    ScriptedStream,
    ScriptedSTT,
    ScriptedTTS,
    begin,
    silence,
)
from tests.conformance.kit.session import Conversation, conversation
from tests.conformance.kit.session_llm import ScriptedLLM
from tests.support.ports import free_port

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0)


@pytest.mark.parametrize(("text", "streams"), [("", 0), ("🙂", 1)])
async def test_text_that_the_session_filters_away_opens_a_voice_all_the_same(
    text: str, streams: int
) -> None:
    """`tts.SynthesizeStream` takes a stream without text for nothing to do."""

    async def listens(stream: ScriptedHearing) -> None:
        async for item in stream._input_ch:
            if isinstance(item, stream._FlushSentinel):
                stream.hear("alpha")

    texts: list[str] = []

    async def speaks(stream: ScriptedStream, emitter: tts.AudioEmitter) -> None:
        begin(emitter)
        texts.append(await stream.text())
        emitter.push(silence(0.1))
        emitter.end_segment()

    call: Conversation
    async with conversation(
        ScriptedSTT(listens), ScriptedTTS(speaks), ScriptedLLM(text, "bravo"), options=ONCE
    ) as call:
        call.microphone.say("alpha")
        await call.until(lambda: bool(call.model.asked) and len(texts) == streams, "a turn")
        await call.until(lambda: call.is_quiet, "its end")
        call.microphone.say("alpha")
        await call.until(lambda: "bravo" in texts and call.is_quiet, "the second answer")
    assert texts == [""] * streams + ["bravo"]


HOSTED = "turn-detector-v1"
HOSTING = {"LIVEKIT_DEV_MODE": "1", "LIVEKIT_REMOTE_EOT_URL": "https://127.0.0.1:9"}
"""What makes the framework choose it, with a key and a secret."""


@pytest.mark.parametrize(("variable", "value"), HOSTING.items())
def test_the_default_turn_detector_may_be_hosted(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`session.build_session` names the local one."""
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret" * 8)
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:7880")
    for name in HOSTING:
        monkeypatch.delenv(name, raising=False)
    assert inference.TurnDetector().model == "turn-detector-v1-mini"
    monkeypatch.setenv(variable, value)
    assert inference.TurnDetector().model == HOSTED
    assert inference.TurnDetector(version="v1-mini").model == "turn-detector-v1-mini"


async def test_a_session_looks_for_its_own_detector_even_if_it_gets_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why the test of `session.build_session` asks the session, and not the constructor."""
    made: list[object] = []

    class Counted(inference.TurnDetector):
        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            made.append(self)

    monkeypatch.setattr(inference, "TurnDetector", Counted)
    session: AgentSession[Any] = AgentSession(turn_handling={"turn_detection": "vad"}, vad=None)
    assert len(made) == 1
    assert session.turn_detection == "vad"


async def test_names_of_models_are_hosted_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """`session.build_session` passes instances only."""
    # The hosted language model is called as soon as it is made.
    monkeypatch.setenv("LIVEKIT_INFERENCE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret" * 8)
    session: AgentSession[Any] = AgentSession(
        stt="deepgram/nova-3", llm="openai/gpt-4o", tts="cartesia/sonic-2", vad=None
    )
    assert isinstance(session.stt, inference.STT)
    assert isinstance(session.llm, inference.LLM)
    assert isinstance(session.tts, inference.TTS)
    await session.llm.aclose()


async def test_the_defaults_of_a_session() -> None:
    """`session.build_session` sets each of them on purpose, or means the default."""
    session: AgentSession[Any] = AgentSession(turn_handling={"turn_detection": "vad"})
    assert isinstance(session.vad, inference.VAD)
    detector = session.vad._opts
    assert (detector.min_speech_duration, detector.min_silence_duration) == (0.05, 0.25)
    assert (detector.prefix_padding_duration, detector.activation_threshold) == (0.5, 0.5)
    options = session.options
    assert (options.aec_warmup_duration, options.user_away_timeout) == (3.0, 15.0)
    assert options.max_tool_steps == 3
    assert options.endpointing["min_delay"] == 0.5
    assert options.endpointing["max_delay"] == 3.0
    assert options.interruption["min_duration"] == 0.5
    assert options.interruption["resume_false_interruption"]
    assert options.interruption["discard_audio_if_uninterruptible"]
    assert options.preemptive_generation["enabled"]
    assert SessionConnectOptions().max_unrecoverable_errors == 3


async def test_while_echo_cancellation_warms_up_the_ear_gets_silence() -> None:
    """`session.build_session` turns the warm-up off: callers may answer at once."""
    loud: list[bool] = []

    async def listens(stream: ScriptedHearing) -> None:
        async for item in stream._input_ch:
            if isinstance(item, rtc.AudioFrame):
                loud.append(any(bytes(item.data)))

    voice = ScriptedTTS()
    for warm_up in (None, 60.0):
        loud.clear()
        call: Conversation
        async with conversation(
            ScriptedSTT(listens), voice, ScriptedLLM(), speed=0.01, warm_up=warm_up
        ) as call:
            call.session.say("hello", audio=_audio())
            await call.until(lambda c=call: c.session.agent_state == "speaking", "speech")  # type: ignore[misc]
            call.microphone.say("alpha bravo")
            async with asyncio.timeout(deadlines.PATIENCE):
                while len(loud) < 12:
                    await asyncio.sleep(0.01)
            await call.session.interrupt(force=True)
        assert any(loud) is (warm_up is None)


async def _audio() -> AsyncIterator[rtc.AudioFrame]:
    yield rtc.AudioFrame(bytes(2 * 24_000), 24_000, 1, 24_000)


@pytest.mark.parametrize(("wish", "hosts"), [({}, True), ({"session_host": False}, False)])
async def test_whoever_is_in_the_room_may_drive_a_session(wish: Any, hosts: bool) -> None:
    """`session.run_call` passes ``session_host=False``."""
    session: AgentSession[Any] = AgentSession(vad=None)
    await session.start(Agent(instructions=""), room=rtc.Room(), record=False, **wish)
    assert (session._session_host is not None) is hosts
    await session.aclose()


async def _nobody_comes(_: JobContext) -> None:
    """No job is ever sent to it."""


async def test_a_worker_that_is_not_registered_calls_itself_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`worker_health.WorkerHealth` waits for ``worker_registered`` instead."""
    # The framework writes what it is given into the environment.
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:9")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret" * 8)
    server = AgentServer(host="127.0.0.1", port=(port := free_port()), num_idle_processes=0)
    server.rtc_session(_nobody_comes)
    started = asyncio.Event()
    server.on("worker_started", lambda *_: started.set())
    running = asyncio.create_task(server.run(unregistered=True))
    try:
        async with asyncio.timeout(deadlines.PATIENCE), aiohttp.ClientSession() as http:
            await started.wait()
            async with http.get(f"http://127.0.0.1:{port}/") as response:
                assert response.status == 200
        assert server.id == "unregistered"
    finally:
        await server.aclose()
        await running
