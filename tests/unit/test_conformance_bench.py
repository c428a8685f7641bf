"""The conformance kit's bench: what it waits for, and what it calls left behind."""

import asyncio
import os
from typing import Any, cast

import pytest
from livekit.agents import tts

from tests.conformance.kit import deadlines
from tests.conformance.kit.bench import nothing_left
from tests.conformance.kit.rules import Broken
from tests.conformance.kit.tones import sentence, statement, words_of
from tests.conformance.kit.tts_bench import TTSBench

pytestmark = pytest.mark.unit

SHORTLY = 0.05


class Voice(tts.TTS[Any]):
    def __init__(self) -> None:
        capabilities = tts.TTSCapabilities(streaming=True)
        super().__init__(capabilities=capabilities, sample_rate=24_000, num_channels=1)

    def synthesize(self, text: str, **options: Any) -> tts.ChunkedStream:
        raise NotImplementedError


class FakeStream:
    """Fails, ends, or stays silent for ever."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.closed = False

    def __aiter__(self) -> "FakeStream":
        return self

    async def __anext__(self) -> tts.SynthesizedAudio:
        if self.failure is None:
            await asyncio.Event().wait()
        assert self.failure
        raise self.failure

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def bench() -> TTSBench:
    return TTSBench(Voice, cast(Any, None), cast(Any, None), plugin=Voice())


async def test_a_stream_that_hangs_breaks_the_rule_and_is_closed(bench: TTSBench) -> None:
    stream = FakeStream()
    with pytest.raises(Broken, match="not over after"):
        await bench.listen(cast(tts.SynthesizeStream, stream), within=SHORTLY)
    assert stream.closed


async def test_a_timeout_that_the_plugin_raises_is_its_error(bench: TTSBench) -> None:
    stream = FakeStream(TimeoutError("the plugin's own"))
    speech = await bench.listen(cast(tts.SynthesizeStream, stream))
    assert speech.error is stream.failure and stream.closed
    assert speech.silent and speech.words == [] and speech.timed == []


async def test_audio_that_does_not_come_breaks_the_rule(
    bench: TTSBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "AUDIO", SHORTLY)
    with pytest.raises(Broken, match="no audio came"):
        await bench.next_audio(cast(tts.SynthesizeStream, FakeStream()))
    with pytest.raises(Broken, match="ended without audio"):
        await bench.next_audio(cast(tts.SynthesizeStream, FakeStream(StopAsyncIteration())))


async def test_what_ends_in_time_is_not_left() -> None:
    async with nothing_left():
        descriptor = os.open(os.devnull, os.O_RDONLY)
        asyncio.get_running_loop().call_later(SHORTLY, os.close, descriptor)


async def test_what_ended_before_does_not_hide_what_is_left() -> None:
    loop = asyncio.get_running_loop()
    loop.call_later(SHORTLY, os.close, os.open(os.devnull, os.O_RDONLY))
    left = -1
    with pytest.raises(Broken, match="1 open files"):
        async with nothing_left(SHORTLY):
            left = os.open(os.devnull, os.O_RDONLY)
    os.close(left)


async def test_a_task_that_is_left_is_named() -> None:
    with pytest.raises(Broken, match="tasks: forgotten"):
        async with nothing_left(SHORTLY):
            task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_statement_is_a_sentence_as_it_is_written() -> None:
    assert statement(2, start=1) == "Bravo charlie."
    assert words_of(statement(30)) == sentence(30).split()
