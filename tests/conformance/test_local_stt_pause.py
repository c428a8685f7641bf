"""What ``livekit.plugins.local.STT`` does in a caller's pause, and when a caller is gone."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, stt
from livekit.plugins import local
from livekit.plugins.local.client import EngineConnection
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.scheduler import Limits, Priority
from livekit.plugins.local.engine.stt import stream as stream_module
from livekit.plugins.local.engine.stt.base import Request, Samples, Transcription, Word
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import STT_PATH, SttStart

from tests.support.engine import TestEngine, run_engine
from tests.support.sounds import sound, utterance
from tests.unit.test_engine_stream import LoudIsSpeech

pytestmark = pytest.mark.conformance

Kind = stt.SpeechEventType
ONCE = APIConnectOptions(max_retry=0, timeout=5)


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TestEngine]:
    monkeypatch.setattr(stream_module, "VoiceActivity", LoudIsSpeech)
    async with run_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
async def ear(engine: TestEngine) -> AsyncIterator[local.STT]:
    plugin = local.STT(engine=engine.address, languages=("en", "fr"))
    yield plugin
    await plugin.aclose()


async def next_of(stream: stt.RecognizeStream, *kinds: Kind) -> stt.SpeechEvent:
    async with asyncio.timeout(5):
        async for event in stream:
            if event.type in kinds:
                return event
    raise AssertionError("the stream ended")


def counted(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"eloquence_engine_{name}_total", labels) or 0.0


def waiting() -> float:
    labels = {"model": "counting"}
    return metrics.REGISTRY.get_sample_value("eloquence_engine_queue_depth", labels) or 0.0


async def test_the_transcript_comes_in_the_pause_and_the_final_says_the_same(
    ear: local.STT,
) -> None:
    async with ear.stream(conn_options=ONCE) as stream:
        stream.start_time_offset = 10.0
        for _ in range(20):
            stream.push_frame(sound(0.05))
        stream.push_frame(sound(0.3, loud=False))
        early = await next_of(stream, Kind.PREFLIGHT_TRANSCRIPT, Kind.FINAL_TRANSCRIPT)
        assert early.type is Kind.PREFLIGHT_TRANSCRIPT, "nobody flushed yet"
        stream.flush()
        final = await next_of(stream, Kind.PREFLIGHT_TRANSCRIPT, Kind.FINAL_TRANSCRIPT)
        assert final.type is Kind.FINAL_TRANSCRIPT
        stream.end_input()
    (first,), (second,) = early.alternatives, final.alternatives
    assert first.text == second.text == "1.0"
    assert first.language == second.language == "en"
    assert first.start_time == second.start_time == pytest.approx(10.0, abs=0.1)
    assert first.confidence > 0


async def test_speech_alone_is_never_a_preflight(ear: local.STT) -> None:
    async with ear.stream(conn_options=ONCE) as stream:
        for _ in range(3):
            for _ in range(14):
                stream.push_frame(sound(0.05))
            event = await next_of(stream, Kind.PREFLIGHT_TRANSCRIPT, Kind.INTERIM_TRANSCRIPT)
            assert event.type is Kind.INTERIM_TRANSCRIPT


async def test_each_pause_with_more_words_is_announced_anew(ear: local.STT) -> None:
    before = counted("preflight", outcome="wasted")
    async with ear.stream(conn_options=ONCE) as stream:
        for text in ("1.0", "2.0"):
            for _ in range(20):
                stream.push_frame(sound(0.05))
            stream.push_frame(sound(0.3, loud=False))
            event = await next_of(stream, Kind.PREFLIGHT_TRANSCRIPT)
            assert event.alternatives[0].text == text
        stream.end_input()
        assert (await next_of(stream, Kind.FINAL_TRANSCRIPT)).alternatives[0].text == "2.0"
    assert counted("preflight", outcome="wasted") == before + 1


async def test_the_work_for_a_caller_who_has_gone_is_dropped(engine: TestEngine) -> None:
    engine.ear.hang = True
    before = counted("dropped", model="counting", reason="cancelled")
    plugin = local.STT(engine=engine.address)
    streams = [plugin.stream(conn_options=ONCE) for _ in range(2)]
    for stream in streams:
        utterance(stream, 0.5)
    async with asyncio.timeout(5):
        while not waiting():
            await asyncio.sleep(0.01)
        for stream in streams:
            await stream.aclose()
        while waiting():
            await asyncio.sleep(0.01)
    assert counted("dropped", model="counting", reason="cancelled") > before
    engine.ear.hang = False
    engine.ear.blocked.set()
    utterance(last := plugin.stream(conn_options=ONCE), 1.0)
    assert (await next_of(last, Kind.FINAL_TRANSCRIPT)).alternatives[0].text == "1.0"
    await last.aclose()
    await plugin.aclose()


async def test_a_busy_engine_is_an_error_that_may_be_retried(
    ear: local.STT, engine: TestEngine
) -> None:
    engine.ear.error = EngineError("overloaded", "The engine is busy.", retryable=True)
    async with ear.stream(conn_options=ONCE) as stream:
        utterance(stream, 1.0)
        with pytest.raises(APIConnectionError, match="busy"):
            await next_of(stream, Kind.FINAL_TRANSCRIPT)


async def test_a_wrong_rate_is_refused_with_a_sentence(engine: TestEngine) -> None:
    connection = EngineConnection(engine.address)
    with pytest.raises(APIStatusError, match="sample_rate was not 16000") as failure:
        async with connection.stream(STT_PATH, SttStart(["en"], sample_rate=8000), timeout=5):
            pass
    assert failure.value.status_code == 400
    await connection.aclose()


async def test_half_a_sample_concerns_its_own_call_only(ear: local.STT, engine: TestEngine) -> None:
    connection = EngineConnection(engine.address)
    async with ear.stream(conn_options=ONCE) as other:
        with pytest.raises(APIStatusError, match="odd number of bytes"):
            async with connection.stream(STT_PATH, SttStart(["en"]), timeout=5) as stream:
                await stream.send_audio(b"\0")
                await stream.receive(timeout=5)
        utterance(other, 1.0)
        assert (await next_of(other, Kind.FINAL_TRANSCRIPT)).alternatives[0].text == "1.0"
    await connection.aclose()


async def test_key_terms_of_plugin_and_session_reach_the_engine(
    engine: TestEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()
    asked = Recogniser.submit

    def submit(self: Recogniser, priority: Priority, request: Request, **rest: Any) -> Any:
        if priority is Priority.SPECULATIVE:
            expected.put_nowait(request.keyterms)
        return asked(self, priority, request, **rest)

    monkeypatch.setattr(Recogniser, "submit", submit)
    plugin = local.STT(engine=engine.address, keyterms=["Sintra"])
    assert plugin.capabilities.keyterms
    async with plugin.stream(conn_options=ONCE) as stream:
        utterance(stream, 0.5)
        assert await asyncio.wait_for(expected.get(), 5) == ("Sintra",)
        plugin._update_session_keyterms(["Lisboa", "Sintra"])
        utterance(stream, 0.5)
        assert await asyncio.wait_for(expected.get(), 5) == ("Sintra", "Lisboa")
    await plugin.aclose()


async def test_word_times_come_when_asked_for_and_count_from_the_start(
    engine: TestEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def transcribe(*_: Any, current: str, **__: Any) -> Transcription:
        return Transcription("hello", current, words=(Word("hello", 0.5, 0.9, 0.75),))

    monkeypatch.setattr(engine.ear, "transcribe", transcribe)
    for wanted in (True, False):
        plugin = local.STT(engine=engine.address, word_times=wanted)
        assert plugin.capabilities.aligned_transcript == ("word" if wanted else False)
        async with plugin.stream(conn_options=ONCE) as stream:
            stream.start_time_offset = 10.0
            utterance(stream, 1.0)
            (heard,) = (await next_of(stream, Kind.FINAL_TRANSCRIPT)).alternatives
        if wanted:
            (word,) = heard.words or []
            assert (word, word.confidence) == ("hello", 0.75)
            assert word.start_time == pytest.approx(10.5)
            assert word.end_time == pytest.approx(10.9)
        else:
            assert heard.words is None
        await plugin.aclose()


async def test_a_decode_that_hangs_is_an_error_in_time_and_the_engine_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "VoiceActivity", LoudIsSpeech)
    impatient = partial(Limits, stall_seconds=0.3)
    monkeypatch.setattr("livekit.plugins.local.engine.scheduler.Limits", impatient)
    async with run_engine(tmp_path) as engine:
        engine.ear.hang = True
        plugin = local.STT(engine=engine.address)
        async with plugin.stream(conn_options=ONCE) as stream:
            utterance(stream, 1.0)
            with pytest.raises(APIStatusError, match="worked on one request") as failure:
                await next_of(stream, Kind.FINAL_TRANSCRIPT)
            assert failure.value.retryable
        engine.ear.hang = False
        engine.ear.blocked.set()
        options = APIConnectOptions(max_retry=10, retry_interval=0.1, timeout=5)
        async with plugin.stream(conn_options=options) as stream:
            utterance(stream, 1.0)
            heard = await next_of(stream, Kind.FINAL_TRANSCRIPT)
            assert heard.alternatives[0].text == "1.0"
        await plugin.aclose()


async def test_a_recording_is_heard_once(ear: local.STT, engine: TestEngine) -> None:
    event = await ear.recognize([sound(2.0), sound(0.3, loud=False)], conn_options=ONCE)
    assert event.alternatives[0].text == "2.0"
    assert engine.ear.heard == 1, "nobody reads along"


async def test_a_new_connection_keeps_the_language_that_was_heard(
    ear: local.STT, engine: TestEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected: list[str] = []
    heard_before = engine.ear.transcribe

    def transcribe(audio: Samples, *, current: str, **rest: Any) -> Transcription:
        expected.append(current)
        heard_before(audio, current=current, **rest)
        return Transcription("mots", "fr")

    monkeypatch.setattr(engine.ear, "transcribe", transcribe)
    options = APIConnectOptions(max_retry=5, retry_interval=0.1, timeout=5)
    async with ear.stream(conn_options=options) as stream:
        utterance(stream, 0.3)
        await next_of(stream, Kind.FINAL_TRANSCRIPT)
        at_first = len(expected)
        engine.ear.error = EngineError("failed", "The connection ends.", retryable=True)
        failed = asyncio.Event()
        ear.on("error", lambda _: failed.set())
        utterance(stream, 0.3)
        await asyncio.wait_for(failed.wait(), 5)
        engine.ear.error = None
        await next_of(stream, Kind.FINAL_TRANSCRIPT)
    assert set(expected[:at_first]) == {"en"}
    assert set(expected[at_first:]) == {"fr"}


@pytest.mark.parametrize(("timeout", "patience"), [(5.0, 4.5), (0.3, 4.5), (60.0, 54.0)])
async def test_the_engine_answers_before_the_plugin_gives_up(
    ear: local.STT, monkeypatch: pytest.MonkeyPatch, timeout: float, patience: float
) -> None:
    given: asyncio.Queue[float] = asyncio.Queue()
    asked = Recogniser.submit

    def submit(self: Recogniser, priority: Priority, request: Request, **rest: Any) -> Any:
        if priority is not Priority.INTERIM:
            given.put_nowait(rest["patience"])
        return asked(self, priority, request, **rest)

    monkeypatch.setattr(Recogniser, "submit", submit)
    options = APIConnectOptions(max_retry=0, timeout=timeout)
    async with ear.stream(conn_options=options) as stream:
        utterance(stream, 0.5)
        assert await asyncio.wait_for(given.get(), 5) == pytest.approx(patience)


async def test_a_client_need_not_say_what_it_does_not_care_about(engine: TestEngine) -> None:
    connection = EngineConnection(engine.address)
    start = {"type": "start", "protocol": 1, "sample_rate": 16_000, "languages": ["en"]}
    async with connection.stream(STT_PATH, start, timeout=5) as stream:
        await stream.send_audio(bytes(sound(0.5).data))
        await stream.send({"type": "flush", "id": 1})
        messages = [await stream.receive(timeout=5)]
        while isinstance(last := messages[-1], dict) and last["type"] != "final":
            messages.append(await stream.receive(timeout=5))
    assert isinstance(last, dict)
    assert last["text"] == "0.5"
    assert not {"words", "stable"} & set(last)
    await connection.aclose()


@pytest.mark.parametrize(
    ("field", "value"), [("patience", 0), ("patience", "long"), ("keyterms", "Sintra")]
)
async def test_a_start_that_makes_no_sense_is_refused(
    engine: TestEngine, field: str, value: object
) -> None:
    connection = EngineConnection(engine.address)
    start = {"type": "start", "protocol": 1, "sample_rate": 16_000, "languages": ["en"]}
    with pytest.raises(APIStatusError, match="broke the protocol") as failure:
        async with connection.stream(STT_PATH, {**start, field: value}, timeout=5):
            pass
    assert failure.value.status_code == 400
    await connection.aclose()
