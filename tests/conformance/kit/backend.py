"""The server behind a plugin under test: it speaks and hears in tones, and misbehaves on demand."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class Behaviour:
    """How the server behaves until the next reset; the default is flawless.

    Attributes:
        refuse_status: HTTP status of requests that are refused.
        refusals: How many requests are refused from now on, -1 for all.
        pace: Seconds that the voice takes for each second of audio; 0 is as fast as it can.
        fail_after_words: The voice fails after that many words of a clause, None never.
        voice_failures: How many times it fails so.
        stall_after_words: The voice falls silent after that many words of a clause, None never.
        odd_chunks: Audio comes in pieces of an odd number of bytes.
        gain: Loudness of the voice; above 1.25 it is more than 16 bits can hold.
        ear_failures: How many times the ear fails from now on.
        ear_stalls: The ear does not answer.
        ear_seconds: How long the ear takes for each utterance.
        nonsense: Answers are well-formed, and hold nothing of what they should.
    """

    refuse_status: int = 503
    refusals: int = 0
    pace: float = 0.0
    fail_after_words: int | None = None
    voice_failures: int = 0
    stall_after_words: int | None = None
    odd_chunks: bool = False
    gain: float = 1.0
    ear_failures: int = 0
    ear_stalls: bool = False
    ear_seconds: float = 0.0
    nonsense: bool = False


@dataclass(slots=True)
class Journal:
    """What the server saw since the last reset.

    Attributes:
        requests: Streams or requests that came, refused ones too.
        active: Those that are open now.
        spoken: The clauses that the voice began, each time it did.
        words: How many words of audio the voice made.
        cancelled: Clauses that were cut short because nobody listened any more.
        heard: What the ear understood, decode by decode.
        decodes: How many decodes began.
        listened: Seconds of audio that came to the ear.
    """

    requests: int = 0
    active: int = 0
    spoken: list[str] = field(default_factory=list)
    words: int = 0
    cancelled: int = 0
    heard: list[str] = field(default_factory=list)
    decodes: int = 0
    listened: float = 0.0


class Backend(Protocol):
    """A running server."""

    @property
    def address(self) -> str:
        """Where it listens, ``http://HOST:PORT``."""
        ...

    async def behave(self, behaviour: Behaviour) -> None:
        """Behave like this from now on."""
        ...

    async def journal(self) -> Journal:
        """Return what was seen since the last reset."""
        ...

    async def reset(self) -> None:
        """End all work and begin anew, flawlessly, with an empty journal."""
        ...


Condition = Callable[[Journal], bool]
Wait = Callable[[Condition], Awaitable[Journal]]
