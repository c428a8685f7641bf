"""The audio of one clause while it is being made, for all who listen to it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from livekit.plugins.local.engine.tts.base import Cancellation, Phoneme
from livekit.plugins.local.errors import EngineError


@dataclass(frozen=True, slots=True)
class Clause:
    """What an engine is asked to say.

    Attributes:
        text: Speakable text, not blank.
        voice: Name of the voice, without the engine's.
        language: Two-letter code.
        speed: Rate of speech.
    """

    text: str
    voice: str
    language: str
    speed: float


class Rendition:
    """One clause on its way; belongs to one event loop.

    It is cancelled when its last listener leaves.

    Attributes:
        clause: What is said.
        due: Time of the event loop at which somebody runs out of audio without it.
        patient: Whether nobody else could say it: late is better than never.
        cancel: Tells the engine to stop.
        ended: Whether nothing more will come.
        error: Why it ended too early; None otherwise.
        phonemes: What is said in the audio that was made so far, where the engine tells.
        on_end: Called once, when it has ended.
    """

    def __init__(self, clause: Clause, due: float, *, patient: bool = False) -> None:
        self.clause = clause
        self.due = due
        self.patient = patient
        self.cancel = Cancellation()
        self.ended = False
        self.error: EngineError | None = None
        self.phonemes: list[Phoneme] = []
        self.on_end: Callable[[Rendition], None] | None = None
        self.on_left: Callable[[Rendition], None] | None = None
        self._chunks: list[bytes] = []
        self._changed = asyncio.Event()
        self._listeners = 0

    @property
    def audio(self) -> bytes:
        """What was made so far: PCM, s16le mono."""
        return b"".join(self._chunks)

    @property
    def audible(self) -> bool:
        """Whether there is any audio."""
        return bool(self._chunks)

    def add(self, chunk: bytes, phonemes: Sequence[Phoneme] = ()) -> None:
        """Add audio, and what is said in it; ignored once it has ended."""
        if not self.ended:
            self._chunks.append(chunk)
            self.phonemes += phonemes
            self._wake()

    def end(self, error: EngineError | None = None) -> None:
        """Say that nothing more comes; harmless when repeated."""
        if self.ended:
            return
        self.ended, self.error = True, error
        if error:
            self.cancel.cancel()
        self._wake()
        if self.on_end:
            self.on_end(self)

    async def listen(self) -> AsyncGenerator[bytes, None]:
        """Hear it from the beginning; close the generator to leave early.

        Yields:
            PCM, s16le mono, each chunk as soon as it is made.

        Raises:
            EngineError: It ended too early.
        """
        heard = 0
        self._listeners += 1
        try:
            while True:
                for chunk in self._chunks[heard:]:
                    heard += 1
                    yield chunk
                if heard == len(self._chunks):
                    if self.ended:
                        break
                    await self._changed.wait()
            if self.error:
                # A copy: an exception that is raised more than once collects the places.
                error = self.error
                raise EngineError(error.code, error.message, retryable=error.retryable)
        finally:
            self._listeners -= 1
            if not self._listeners and not self.ended:
                self.end(EngineError("failed", "Nobody listens any more.", retryable=True))
                if self.on_left:
                    self.on_left(self)

    def _wake(self) -> None:
        # Whoever waits holds the old event; whoever comes next waits for the next change.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
