"""What a model is told about an utterance, and what becomes of the times of its words."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from livekit.plugins.local.engine.scheduler import Job, Priority, Scheduler
from livekit.plugins.local.engine.stt import stream as stream_module
from livekit.plugins.local.engine.stt.base import Request, Samples, Transcription, Word
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.engine.stt.stream import SttStream
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import SttStart

from tests.unit.test_engine_stream import LoudIsSpeech, loud, quiet

pytestmark = pytest.mark.unit


class RichModel:
    """Takes batches, and remembers every request."""

    name = "rich"

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer = Transcription("words", "en")

    def transcribe(
        self, audio: Samples, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        raise AssertionError("a model that takes requests was asked the plain way")

    def batch_key(self, request: Request) -> Hashable:
        return request.beam_size

    def transcribe_batch(self, requests: Sequence[Request]) -> list[Transcription]:
        self.requests += requests
        return [self.answer for _ in requests]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> RichModel:
    monkeypatch.setattr(stream_module, "VoiceActivity", LoudIsSpeech)
    return RichModel()


@pytest.fixture
async def recogniser(model: RichModel) -> AsyncIterator[Recogniser]:
    scheduler = Scheduler("rich")
    with ThreadPoolExecutor(1) as threads:
        yield Recogniser(model, scheduler, 5, threads)
        await scheduler.aclose()


async def hear(recogniser: Recogniser, *turns: bytes, **start: Any) -> list[dict[str, Any]]:
    """Return the finals of turns that are flushed one by one."""
    said: list[dict[str, Any]] = []

    async def emit(message: dict[str, Any]) -> None:
        if message["type"] == "final":
            said.append(message)

    stream = SttStream(recogniser, SttStart(["en", "fr"], interim=False, **start), emit)
    for number, pcm in enumerate(turns):
        for at in range(0, len(pcm), 1600):
            await stream.feed(pcm[at : at + 1600])
        await stream.flush(number)
    await stream.aclose()
    return said


async def test_the_model_learns_what_the_stream_knows(
    recogniser: Recogniser, model: RichModel
) -> None:
    model.answer = Transcription("mots", "fr", language_probability=0.95)
    await hear(recogniser, loud(2) + quiet(0.3), loud(1) + quiet(0.3), keyterms=["Sintra"])
    first, second = model.requests
    assert first.keyterms == second.keyterms == ("Sintra",)
    assert first.beam_size == 5
    assert not (first.draft or first.words or first.settled)
    assert first.candidates == ("en", "fr")
    assert (first.current, second.current) == ("en", "fr")
    assert second.settled
    assert first.speech_seconds == pytest.approx(2.0, abs=0.05)


async def test_key_terms_can_change_while_the_caller_speaks(
    recogniser: Recogniser, model: RichModel
) -> None:
    async def ignore(_: dict[str, Any]) -> None:
        pass

    stream = SttStream(recogniser, SttStart(["en"]), ignore)
    await stream.feed(loud(1))
    stream.expect(["Lisboa"])
    await stream.flush(1)
    assert model.requests[-1].keyterms == ("Lisboa",)
    await stream.aclose()


async def test_audio_that_is_no_audio_fails_alone(recogniser: Recogniser) -> None:
    good = Request(np.zeros(1600, np.float32), 0.1, "en", ("en",))
    bad = replace(good, audio=np.full(1600, np.nan, np.float32))
    with pytest.raises(EngineError, match="not numbers") as failure:
        recogniser.submit(Priority.FINAL, bad)
    assert failure.value.code == "bad_request"
    assert (await recogniser.submit(Priority.FINAL, good).result).text == "words"


async def test_an_interim_is_wanted_until_something_urgent_waits(
    recogniser: Recogniser, model: RichModel
) -> None:
    audio = Request(np.zeros(1600, np.float32), 0.1, "en", ("en",))
    loop = asyncio.get_running_loop()
    urgent: list[Job[Transcription]] = []
    wanted: list[bool] = []

    async def submit() -> Job[Transcription]:
        return recogniser.submit(Priority.SPECULATIVE, audio)

    def hear(requests: Sequence[Request]) -> list[Transcription]:
        (request,) = requests
        wanted.append(request.wanted())
        if not urgent:
            # As a caller would while the interim is on the model's thread.
            urgent.append(asyncio.run_coroutine_threadsafe(submit(), loop).result(10))
            wanted.append(request.wanted())
        return [model.answer]

    model.transcribe_batch = hear  # type: ignore[method-assign]
    await recogniser.submit(Priority.INTERIM, audio).result
    await urgent[0].result
    # The interim before and after, and what was urgent.
    assert wanted == [True, False, True]


async def test_words_have_their_place_in_the_stream(
    recogniser: Recogniser, model: RichModel
) -> None:
    model.answer = Transcription(
        "a b", "en", words=(Word("a", 0.5, 0.9, 0.8), Word("b", 0.9, 1.3, 0.7))
    )
    turns = [quiet(3) + loud(1) + quiet(0.3)] * 2
    first, second = await hear(recogniser, *turns, words=True)
    assert [word["text"] for word in first["words"]] == ["a", "b"]
    assert [word["confidence"] for word in first["words"]] == [0.8, 0.7]
    begins = [word["start"] for final in (first, second) for word in final["words"]]
    # A lead-in of half a second belongs to the utterance; the second turn is 4.3 s later.
    assert begins == pytest.approx([3.0, 3.4, 7.3, 7.7], abs=0.1)
    assert all(request.words for request in model.requests)


async def test_the_silence_around_an_utterance_belongs_to_no_word(
    recogniser: Recogniser, model: RichModel
) -> None:
    model.answer = Transcription("a", "en", words=(Word("a", 0.0, 1.75, 1),))
    (final,) = await hear(recogniser, quiet(3) + loud(1) + quiet(0.3), words=True)
    (word,) = final["words"]
    assert word["start"] == pytest.approx(3.0, abs=0.05)
    assert word["end"] == pytest.approx(4.0, abs=0.05)


async def test_word_times_never_go_back_nor_past_the_audio(
    recogniser: Recogniser, model: RichModel
) -> None:
    model.answer = Transcription(
        "a b c", "en", words=(Word("a", 0.5, 0.9, 1), Word("b", 0.2, 0.4, 1), Word("c", 9, 99, 1))
    )
    (final,) = await hear(recogniser, loud(1) + quiet(0.3), words=True)
    times = [time for word in final["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert times[-1] <= final["end"]


async def test_words_of_sealed_parts_follow_each_other(
    recogniser: Recogniser, model: RichModel
) -> None:
    model.answer = Transcription("a", "en", words=(Word("a", 0.5, 0.9, 1),))
    (final,) = await hear(recogniser, loud(21) + quiet(0.3) + loud(2) + quiet(0.3), words=True)
    assert final["text"] == "a a"
    first, second = final["words"]
    assert first["start"] == pytest.approx(0.5)
    assert second["start"] > 21


async def test_nobody_is_told_times_that_were_not_asked_for(recogniser: Recogniser) -> None:
    (final,) = await hear(recogniser, loud(1) + quiet(0.3))
    assert "words" not in final
