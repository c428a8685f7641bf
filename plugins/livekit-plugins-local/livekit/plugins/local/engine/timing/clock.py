"""Says when each word of a reply is said, as its audio goes by."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import numpy as np
from livekit.plugins.local.engine.timing.alignment import (
    TimedWord,
    align,
    settle,
    share,
    split_words,
)
from livekit.plugins.local.engine.timing.matching import match
from livekit.plugins.local.engine.timing.pauses import pauses
from livekit.plugins.local.engine.timing.sounds import effort
from livekit.plugins.local.engine.timing.transcripts import Transcripts
from livekit.plugins.local.engine.tts.base import Phoneme

# How long a clause may take from its first audio to its last and still be looked at as a whole.
# Most engines hand it over at once; who streams it must not be held up for its captions.
_PATIENCE_SECONDS = 0.025
_SECONDS_PER_EFFORT = 0.09
"""The pace of a voice that has not been heard yet."""

_TRANSCRIPTS = Transcripts()


class Clock:
    """Times the words of one stream, clause by clause.

    A clause whose audio is there at once is aligned as a whole: with its phonemes, if the voice
    told when it says them. Words of a clause that arrives in pieces are placed by the pace of the
    clauses before it, each as soon as its audio is there, and the last ones by the clause's true
    end.
    """

    def __init__(self, rate: int, language: str, speed: float = 1.0) -> None:
        """Start at zero.

        Args:
            rate: Sample rate of the audio in Hz.
            language: Two-letter code of the text.
            speed: Rate of speech, 1 is the voice's own.
        """
        self._rate = rate
        self._language = language
        self._pace = _SECONDS_PER_EFFORT / speed
        self._now = 0.0

    async def timed(
        self, clause: str, audio: AsyncIterator[bytes], phonemes: Sequence[Phoneme] = ()
    ) -> AsyncGenerator[bytes | list[TimedWord], None]:
        """Pass on the audio of a clause, its words in front of it.

        Args:
            clause: The text as it was written; its words together are the text.
            audio: The clause's PCM, s16le mono. Close the generator before this.
            phonemes: Holds, once the audio is there, what is said in it, if that is known; times
                count from its beginning.

        Yields:
            Audio, and words with times in seconds since the stream began, in order.
        """
        words = split_words(clause)
        # While the voice works; most words have been seen before.
        transcribing = asyncio.ensure_future(self._transcribe(words))
        held: list[bytes] = []
        step = asyncio.ensure_future(anext(audio, None))
        try:
            deadline: float | None = None
            loop = asyncio.get_running_loop()
            while True:
                patience = max(0.0, deadline - loop.time()) if deadline else None
                await asyncio.wait({step}, timeout=patience)
                if not step.done():
                    break
                if held and step.exception():
                    break  # what came before it is heard before it is raised
                if (chunk := step.result()) is None:
                    yield self._whole(words, await transcribing, b"".join(held), phonemes)
                    for chunk in held:
                        yield chunk
                    return
                held.append(chunk)
                deadline = deadline or loop.time() + _PATIENCE_SECONDS
                step = asyncio.ensure_future(anext(audio, None))
            passing = _Passing(words, _weigh(await transcribing), self._now, self._pace)
            chunk = b"".join(held)
            passing.skip(self._silence(chunk))
            while chunk is not None:
                self._now += len(chunk) / 2 / self._rate
                if said := passing.until(self._now):
                    yield said
                yield chunk
                chunk = await step
                if chunk is not None:
                    step = asyncio.ensure_future(anext(audio, None))
            if rest := passing.rest(self._now):
                yield rest
            self._pace = passing.pace or self._pace
        finally:
            for task in (step, transcribing):
                task.cancel()
            await asyncio.gather(step, transcribing, return_exceptions=True)

    async def _transcribe(self, words: Sequence[str]) -> list[str]:
        if _TRANSCRIPTS.known(words, self._language):
            return _TRANSCRIPTS(words, self._language)
        return await asyncio.to_thread(_TRANSCRIPTS, words, self._language)

    def _whole(
        self, words: list[str], transcripts: list[str], pcm: bytes, phonemes: Sequence[Phoneme]
    ) -> list[TimedWord]:
        samples = np.frombuffer(pcm, "<i2")
        weights = _weigh(transcripts)
        told = match(transcripts, phonemes)
        times = (
            settle(told, samples, self._rate)
            if told
            else align(words, weights, samples, self._rate)
        )
        times = [self._now + at for at in times]
        self._now += len(samples) / self._rate
        self._pace = (times[-1] - times[0]) / sum(weights) or self._pace
        return [TimedWord(*word) for word in zip(words, times[::2], times[1::2], strict=True)]

    def _silence(self, pcm: bytes) -> float:
        """Return how long it takes until somebody speaks, in seconds."""
        found = pauses(np.frombuffer(pcm, "<i2"), self._rate)
        return found[0].end if found and found[0].start == 0 else 0.0


def _weigh(transcripts: Sequence[str]) -> list[float]:
    weights = list(map(effort, transcripts))
    return weights if any(weights) else [1.0] * len(weights)


class _Passing:
    """The words of a clause whose end is not in sight."""

    def __init__(self, words: list[str], weights: list[float], begins: float, pace: float) -> None:
        self._words = words
        self._weights = weights
        self._begins = self._at = begins
        self._pace = pace
        self._next = 0
        self.pace = 0.0

    def skip(self, seconds: float) -> None:
        """Take note of silence before the first word."""
        self._begins += seconds
        self._at = self._begins

    def until(self, now: float) -> list[TimedWord]:
        """Return the words that should be over by now and were not returned before."""
        said = []
        while self._next < len(self._words) - 1:
            end = self._at + self._pace * self._weights[self._next]
            if end > now:
                break
            said.append(TimedWord(self._words[self._next], self._at, end))
            self._at, self._next = end, self._next + 1
        return said

    def rest(self, now: float) -> list[TimedWord]:
        """Return all others, now that the clause is over."""
        self.pace = max(0.0, now - self._begins) / (sum(self._weights) or 1.0)
        words = self._words[self._next :]
        times = share(self._weights[self._next :], self._at, max(self._at, now))
        return [TimedWord(*word) for word in zip(words, times[::2], times[1::2], strict=True)]
