"""One caller's ears: speculation, interims, sealing, guards. The model is scripted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from livekit.plugins.local.engine.scheduler import Priority, Scheduler
from livekit.plugins.local.engine.stt import stream as stream_module
from livekit.plugins.local.engine.stt.base import Samples, Transcription
from livekit.plugins.local.engine.stt.stream import Recogniser, SttStream
from livekit.plugins.local.engine.stt.vad import WINDOW
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import SttStart

pytestmark = pytest.mark.unit

SECOND = 16_000
NOBODY = {"no_speech_prob": 0.7, "avg_logprob": -1.5}


class LoudIsSpeech:
    """Voice activity that calls everything above half scale speech."""

    def __init__(self) -> None:
        self._pending = np.zeros(0, np.float32)

    def process(self, audio: Samples) -> list[bool]:
        audio = np.concatenate([self._pending, audio])
        whole = len(audio) - len(audio) % WINDOW
        self._pending = audio[whole:]
        return [bool(np.abs(audio[at : at + WINDOW]).max() > 0.5) for at in range(0, whole, WINDOW)]


class ScriptedModel:
    """Says how many loud samples it was given, and remembers each request."""

    name = "scripted"

    def __init__(self) -> None:
        self.requests: list[tuple[float, int]] = []
        self.answer: dict[str, Any] = {}
        self.error: EngineError | None = None

    def transcribe(
        self, audio: Samples, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        loud = int((np.abs(audio) > 0.5).sum())
        self.requests.append((len(audio) / SECOND, beam_size))
        if self.error:
            raise self.error
        return Transcription(**{"text": f"{loud}", "language": current, **self.answer})


def loud(seconds: float) -> bytes:
    return np.full(int(seconds * SECOND), 30_000, "<i2").tobytes()


def quiet(seconds: float) -> bytes:
    return np.zeros(int(seconds * SECOND), "<i2").tobytes()


class Ears:
    """A stream under test and what it has said."""

    def __init__(self, recogniser: Recogniser, model: ScriptedModel, **start: Any) -> None:
        self.said: list[dict[str, Any]] = []
        self._news: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.model = model
        self.stream = SttStream(
            recogniser, SttStart(**{"languages": ["en", "fr"], **start}), self._emit
        )

    async def _emit(self, message: dict[str, Any]) -> None:
        self.said.append(message)
        self._news.put_nowait(message)

    async def hear(self, *pieces: bytes) -> None:
        for piece in pieces:
            for at in range(0, len(piece), 1600):
                await self.stream.feed(piece[at : at + 1600])
                await asyncio.sleep(0)

    async def next(self) -> dict[str, Any]:
        """Return the next message that was not asked for yet."""
        return await asyncio.wait_for(self._news.get(), 5)

    async def decoded(self, times: int) -> None:
        """Wait until the model has been asked so often, and answered."""
        async with asyncio.timeout(5):
            while len(self.model.requests) < times or self.stream._recogniser.scheduler.depth:
                await asyncio.sleep(0)
        await self.stream._recogniser.scheduler.run(Priority.INTERIM, lambda: None)

    async def final(self, number: int = 1) -> dict[str, Any]:
        await self.stream.flush(number)
        return self.said[-1]


@pytest.fixture
async def ears(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ears]:
    monkeypatch.setattr(stream_module, "VoiceActivity", LoudIsSpeech)
    scheduler, model = Scheduler("scripted"), ScriptedModel()
    with ThreadPoolExecutor(1) as threads:
        ears = Ears(Recogniser(model, scheduler, 5, threads), model, interim=False)
        yield ears
        await ears.stream.aclose()
        await scheduler.aclose()


async def test_silence_gives_an_empty_final_and_is_never_decoded(ears: Ears) -> None:
    await ears.hear(quiet(5))
    assert (await ears.final())["text"] == ""
    assert ears.model.requests == []


async def test_the_final_is_the_text_decoded_during_the_pause(ears: Ears) -> None:
    await ears.hear(quiet(1), loud(1), quiet(0.5))
    final = await ears.final(7)
    assert final["flush"] == 7
    assert final["text"] == str(SECOND)
    assert len(ears.model.requests) == 1, "the flush decoded again"


async def test_speech_that_resumes_is_part_of_the_same_final(ears: Ears) -> None:
    await ears.hear(loud(1), quiet(0.25), loud(1), quiet(0.25))
    assert (await ears.final())["text"] == str(2 * SECOND)


async def test_the_tail_of_speech_cut_by_the_flush_is_kept(ears: Ears) -> None:
    await ears.hear(quiet(0.5), loud(1))
    assert (await ears.final())["text"] == str(SECOND)


async def test_two_utterances_share_no_audio(ears: Ears) -> None:
    await ears.hear(loud(1), quiet(0.3))
    first = await ears.final(1)
    await ears.hear(quiet(0.1), loud(2), quiet(0.3))
    second = await ears.final(2)
    assert (first["text"], second["text"]) == (str(SECOND), str(2 * SECOND))
    assert second["start"] >= first["end"]


async def test_silence_before_speech_is_forgotten_but_for_a_lead_in(ears: Ears) -> None:
    await ears.hear(quiet(20), loud(1), quiet(0.3))
    await ears.final()
    assert ears.model.requests[-1][0] < 2.0


async def test_long_speech_is_sealed_and_loses_no_sample(ears: Ears) -> None:
    await ears.hear(loud(21), quiet(0.2), loud(21), quiet(0.2), loud(3), quiet(0.3))
    final = await ears.final()
    assert sum(int(part) for part in final["text"].split()) == 45 * SECOND
    assert all(seconds <= 30 for seconds, _ in ears.model.requests)
    assert final["start"] == 0


async def test_speech_of_ten_seconds_is_sealed_at_a_good_pause(ears: Ears) -> None:
    ears.stream._preflight_wanted = True
    await ears.hear(loud(11), quiet(0.3))
    # The turn may be over, so the language model is asked as early as otherwise.
    assert await ears.next() == {**ears.said[0], "type": "preflight", "text": str(11 * SECOND)}
    await ears.hear(loud(1), quiet(0.3))
    final = await ears.final()
    assert final["text"] == f"{11 * SECOND} {SECOND}"
    assert [seconds < 12 for seconds, _ in ears.model.requests] == [True, True]
    assert (final["start"], final["end"]) == (0, pytest.approx(12.5, abs=0.1))


async def test_two_sentences_far_apart_are_decoded_one_by_one(ears: Ears) -> None:
    await ears.hear(loud(1), quiet(0.9), loud(2), quiet(0.3))
    final = await ears.final()
    assert final["text"] == f"{SECOND} {2 * SECOND}"
    assert len(ears.model.requests) == 2, "the first was decoded again"
    await ears.hear(quiet(3))
    assert (await ears.final(2))["text"] == ""


async def test_speech_without_a_pause_is_sealed_too(ears: Ears) -> None:
    await ears.hear(loud(62), quiet(0.3))
    final = await ears.final()
    assert sum(int(part) for part in final["text"].split()) == 62 * SECOND
    assert all(seconds <= 30 for seconds, _ in ears.model.requests)


async def test_speech_without_a_pause_is_cut_where_it_is_quietest(ears: Ears) -> None:
    soft = np.full(int(0.1 * SECOND), 20_000, "<i2").tobytes()
    await ears.hear(loud(26), soft, loud(6), quiet(0.3))
    final = await ears.final()
    assert sum(int(part) for part in final["text"].split()) == 32.1 * SECOND
    assert ears.model.requests[0][0] == pytest.approx(26.05, abs=0.05)


async def test_a_moment_between_two_syllables_does_not_seal(ears: Ears) -> None:
    await ears.hear(loud(21), quiet(0.1), loud(1), quiet(0.3))
    await ears.final()
    assert ears.model.requests[0][0] > 22


@pytest.mark.parametrize(
    "answer",
    [NOBODY, {"avg_logprob": -1.2}],
    ids=["nobody spoke", "improbable and short"],
)
async def test_phantom_words_are_dropped(ears: Ears, answer: dict[str, float]) -> None:
    ears.model.answer = answer
    await ears.hear(loud(0.3), quiet(0.3))
    assert (await ears.final())["text"] == ""


async def test_a_short_word_is_heard_again_with_the_silence_after_it(ears: Ears) -> None:
    """Right after it, the model finds that nobody spoke; a little later it does not."""
    ears.model.answer = NOBODY
    await ears.hear(loud(0.3), quiet(0.15))
    await ears.decoded(1)
    ears.model.answer = {}
    await ears.hear(quiet(0.1))
    assert (await ears.final())["text"] == str(int(0.3 * SECOND))


async def test_the_same_sound_is_not_decoded_twice(ears: Ears) -> None:
    ears.model.answer = NOBODY
    # Ten windows with speech, then the three after which it is decoded.
    await ears.hear(loud(0.3), quiet(0.116))
    await ears.decoded(1)
    assert (await ears.final())["text"] == ""
    assert len(ears.model.requests) == 1


async def test_likely_words_are_believed_though_cut_off_they_sound_like_none(ears: Ears) -> None:
    ears.model.answer = {"no_speech_prob": 0.65, "avg_logprob": -0.7}
    await ears.hear(loud(0.3), quiet(0.3))
    assert (await ears.final())["text"] == str(int(0.3 * SECOND))


async def test_improbable_words_in_long_speech_are_kept(ears: Ears) -> None:
    ears.model.answer = {"avg_logprob": -1.2}
    await ears.hear(loud(2), quiet(0.3))
    assert (await ears.final())["text"] == str(2 * SECOND)


async def test_the_language_heard_is_the_next_utterances_current_one(ears: Ears) -> None:
    ears.model.answer = {"language": "fr"}
    await ears.hear(loud(1), quiet(0.3))
    assert (await ears.final())["language"] == "fr"
    ears.model.answer = {}
    await ears.hear(loud(1), quiet(0.3))
    assert (await ears.final())["language"] == "fr"


async def test_interims_are_greedy_and_finals_are_not(ears: Ears) -> None:
    ears.stream._interim_wanted = True
    await ears.hear(loud(0.5))
    assert (await ears.next())["type"] == "interim"
    assert ears.model.requests[0][1] == 1
    await ears.hear(loud(0.5), quiet(0.3))
    assert (await ears.final())["text"] == str(SECOND)
    assert ears.model.requests[-1][1] == 5


async def test_the_first_interim_is_asked_for_within_half_a_second_of_speech(ears: Ears) -> None:
    ears.stream._interim_wanted = True
    await ears.hear(quiet(2), loud(0.45))
    await ears.next()
    # Half a second of it is the lead-in.
    assert ears.model.requests[0][0] < 1.0


async def test_an_interim_that_is_not_believed_is_followed_by_another_soon(ears: Ears) -> None:
    ears.stream._interim_wanted = True
    ears.model.answer = NOBODY
    await ears.hear(loud(0.35))
    await ears.decoded(1)
    assert ears.said == []
    ears.model.answer = {}
    await ears.hear(loud(0.25))
    assert (await ears.next())["type"] == "interim"


async def test_no_interim_is_decoded_in_a_pause(ears: Ears) -> None:
    ears.stream._interim_wanted = True
    await ears.hear(loud(0.5))
    await ears.next()
    await ears.hear(quiet(0.3))
    await ears.final()
    assert [beam for _, beam in ears.model.requests] == [1, 5]


async def test_words_shown_as_stable_stay(ears: Ears) -> None:
    ears.stream._interim_wanted = True
    for text in ("turn of", "turn off the", "turn off the light", "burn of a lighter"):
        ears.model.answer = {"text": text}
        await ears.hear(loud(0.4))
        shown = await ears.next()
    assert shown["stable"] == "turn off the"
    assert shown["text"] == "turn off the lighter"
    assert shown["hypothesis"] == "burn of a lighter"


async def test_a_hypothesis_goes_on_to_the_newest_word(ears: Ears) -> None:
    ears.stream._interim_wanted = True
    ears.model.answer = {"text": "turn off the light"}
    await ears.hear(loud(0.6))
    shown = await ears.next()
    assert (shown["text"], shown["hypothesis"]) == ("turn off the", "turn off the light")


async def test_a_model_too_slow_for_interims_is_asked_less_often(ears: Ears) -> None:
    ears.stream._interim_wanted = True
    ears.model.error = EngineError("overloaded", "Busy.", retryable=True)
    await ears.hear(loud(8))
    asked = len(ears.model.requests)
    assert 0 < asked <= 5


async def test_a_busy_model_is_not_asked_for_interims(
    ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears.stream._interim_wanted = True
    monkeypatch.setattr(Scheduler, "load", 0.8)
    await ears.hear(loud(3), quiet(0.3))
    await ears.final()
    assert [beam for _, beam in ears.model.requests] == [5]


async def test_the_transcript_is_announced_during_the_pause_and_kept(ears: Ears) -> None:
    ears.stream._preflight_wanted = True
    await ears.hear(loud(1), quiet(0.3))
    preflight = await ears.next()
    assert (preflight["type"], preflight["text"]) == ("preflight", str(SECOND))
    final = await ears.final()
    assert final["text"] == str(SECOND)
    assert len(ears.said) == 2
    for field in ("language", "confidence", "start"):
        assert final[field] == preflight[field]


async def test_nothing_is_announced_while_the_caller_speaks(ears: Ears) -> None:
    ears.stream._preflight_wanted = ears.stream._interim_wanted = True
    for _ in range(4):
        await ears.hear(loud(0.6))
        await ears.next()
    assert {message["type"] for message in ears.said} == {"interim"}


async def test_the_same_words_are_announced_once(ears: Ears) -> None:
    ears.stream._preflight_wanted = True
    ears.model.answer = {"text": "Hello."}
    await ears.hear(loud(1), quiet(0.3))
    await ears.next()
    await ears.hear(loud(0.1), quiet(0.3))
    await ears.decoded(2)
    assert (await ears.final())["text"] == "Hello."
    assert [message["type"] for message in ears.said] == ["preflight", "final"]


async def test_words_that_nobody_said_are_not_announced(ears: Ears) -> None:
    ears.stream._preflight_wanted = True
    ears.model.answer = {"no_speech_prob": 0.9}
    await ears.hear(loud(1), quiet(0.3))
    await ears.decoded(1)
    assert (await ears.final())["text"] == ""
    assert len(ears.said) == 1


async def test_a_guess_that_came_to_nothing_is_decoded_at_the_flush(ears: Ears) -> None:
    ears.model.error = EngineError("overloaded", "Busy.", retryable=True)
    await ears.hear(loud(1), quiet(0.3))
    await ears.decoded(1)
    ears.model.error = None
    assert (await ears.final())["text"] == str(SECOND)


async def test_a_failing_model_fails_the_flush(ears: Ears) -> None:
    ears.model.error = EngineError("failed", "The model failed.", retryable=True)
    await ears.hear(loud(1), quiet(0.3))
    with pytest.raises(EngineError, match="The model failed"):
        await ears.final()


async def test_a_vanishing_caller_leaves_no_work(ears: Ears) -> None:
    await ears.hear(loud(1), quiet(0.2))
    await ears.stream.aclose()


@pytest.mark.parametrize("sound", [quiet, loud], ids=["silence", "speech"])
async def test_a_stream_that_never_ends_keeps_little_audio(
    ears: Ears, sound: Callable[[float], bytes]
) -> None:
    for _ in range(200):
        await ears.stream.feed(sound(1))
        kept = len(ears.stream._utterance._audio) / SECOND
        assert kept <= stream_module.MAX_SECONDS + 1
    assert all(seconds <= 30 for seconds, _ in ears.model.requests)
    final = await ears.final()
    # Nothing of what was sealed on the way is lost, and nothing is heard twice.
    samples = sum(int(part) for part in final["text"].split())
    assert samples == (200 * SECOND if sound is loud else 0)
