"""What a text-to-speech engine is to the rest of the engine process."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono audio, float32 in [-1, 1], shape ``(samples,)``."""


class Phoneme(NamedTuple):
    """A symbol of IPA, a space or a punctuation mark, and when it is said, in seconds."""

    symbol: str
    start: float
    end: float

    def later(self, seconds: float) -> "Phoneme":
        """Return the same, said so much later."""
        return Phoneme(self.symbol, self.start + seconds, self.end + seconds)


class Voiced(NamedTuple):
    """Audio of a voice that tells when it says what, counted from the audio's beginning."""

    samples: Samples
    phonemes: Sequence[Phoneme]


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
class SpeechServer:
    """A server elsewhere that speaks, OpenAI's way.

    Attributes:
        url: Base URL, ending in ``/v1``; empty for none.
        model: Model named in requests.
        key: API key; empty for none.
        sample_rate: Rate of its PCM, in Hz, where its answers do not tell.
    """

    url: str = ""
    model: str = "tts-1"
    key: str = field(default="", repr=False)
    sample_rate: int = 24_000


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine is built with.

    Attributes:
        model_dir: Returns the directory of a model that was fetched, by its id.
        threads: How many threads an engine's inference may use.
        configured: Voice (``engine/name``) per two-letter language, for engines that cannot find
            out by themselves what they are needed for.
        data_dir: What the user brought along: ``piper/*.onnx``, ``voices/NAME``, ``chatterbox``.
        server: For the engine ``openai``.
    """

    model_dir: Callable[[str], Path]
    threads: int
    configured: Mapping[str, str] = field(default_factory=dict)
    data_dir: Path | None = None
    server: SpeechServer = field(default_factory=SpeechServer)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do.

    Attributes:
        voices: Name of each voice to the two-letter languages that it speaks.
        sample_rate: Rate of its audio, in Hz.
        streaming: Whether audio comes before a clause is complete.
        cloning: Whether it can speak with the voice of a sample.
    """

    voices: Mapping[str, frozenset[str]]
    sample_rate: int
    streaming: bool
    cloning: bool

    @property
    def languages(self) -> frozenset[str]:
        """The two-letter languages that some voice speaks."""
        return frozenset().union(*self.voices.values())


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
    ) -> Iterator[Samples] | Iterator[Voiced]:
        """Speak one clause or sentence; called on one thread at a time.

        Args:
            text: Speakable text, never blank.
            voice: One of `voices`, without the engine's name.
            language: Two-letter code; one that the voice speaks.
            speed: 1.0 is the voice's own rate.
            cancel: Cancelled when nobody listens any more: stop as soon as possible.

        Yields:
            Chunks of audio, at least one unless cancelled; `Voiced` where the engine knows the
            times of its phonemes, so that captions need not be guessed.

        Raises:
            EngineError: Synthesis failed; the engine may be used again.
        """
        ...


def capabilities(engine: TTSEngine) -> Capabilities:
    """Return what an engine can do; its voices are known once it has loaded.

    An engine that streams or clones says so with an attribute `streaming` or `cloning`.
    """
    return Capabilities(
        voices=engine.voices(),
        sample_rate=engine.sample_rate,
        streaming=bool(getattr(engine, "streaming", False)),
        cloning=bool(getattr(engine, "cloning", False)),
    )
