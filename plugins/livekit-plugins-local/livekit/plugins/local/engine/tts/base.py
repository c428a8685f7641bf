"""What a text-to-speech engine is to the rest of the engine process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono audio, float32 in [-1, 1], shape ``(samples,)``."""


class Cancellation:
    """Says, from any thread, that nobody listens any more.

    Unlike a bare event it also acts: it interrupts what the engine registered with `calling`, so
    that cancelling is prompt without a thread that waits for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._callback: Callable[[], None] | None = None

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Cancel; harmless when repeated."""
        with self._lock:
            self._cancelled = True
            if self._callback:
                self._callback()

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` on cancellation while the block runs, at once if that was before.

        Args:
            callback: Interrupts the work of the block; quick, and safe to call from any thread.
        """
        with self._lock:
            if self._cancelled:
                callback()
            self._callback = callback
        try:
            yield
        finally:
            with self._lock:
                self._callback = None


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine is built with.

    Attributes:
        model_dir: Returns the directory of a model that was fetched, by its id.
        threads: How many threads an engine's inference may use.
    """

    model_dir: Callable[[str], Path]
    threads: int


class TTSEngine(Protocol):
    """One family of voices; its methods run on threads, never on the event loop.

    Attributes:
        name: The part of a voice's name before the slash.
        sample_rate: Rate of the audio that `synthesize` yields, in Hz.
        version: Changes whenever the same text would sound different; known once loaded.
    """

    name: str
    sample_rate: int
    version: str

    def voices(self) -> dict[str, frozenset[str]]:
        """Return the voices, once loaded: name to the two-letter languages that it speaks."""
        ...

    def load(self) -> None:
        """Load what synthesis needs; slow, called once before the first `synthesize`.

        Raises:
            EngineError: The engine cannot work here; the message says what to do.
        """
        ...

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        """Speak one clause or sentence; called on one thread at a time.

        Args:
            text: Speakable text, never blank.
            voice: One of `voices`, without the engine's name.
            language: Two-letter code; one that the voice speaks.
            speed: 1.0 is the voice's own rate.
            cancel: Cancelled when nobody listens any more: stop as soon as possible.

        Yields:
            Chunks of audio, at least one unless cancelled.

        Raises:
            EngineError: Synthesis failed; the engine may be used again.
        """
        ...
