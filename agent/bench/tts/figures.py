"""What is found out about one voice."""

from dataclasses import asdict, dataclass, field
from typing import Any

from agent.bench.tts.wer import Understood
from agent.caller.report import Latency

GAP_SECONDS = 0.05
"""Shorter silences between chunks pass for part of the speech."""


@dataclass(slots=True, kw_only=True)
class Figures:
    """One voice; milliseconds and megabytes, None where not measured.

    Attributes:
        voice: ``engine/name``.
        language: Two-letter code.
        cold_ms: First audio of the first sentence that the voice says.
        warm_ms: First audio of sentences that were not said before.
        cached_ms: First audio of a phrase that was said before.
        reply_ms: First audio of a reply of three sentences, since its first token was asked for.
        plain_reply_ms: The same, when the reply is written and synthesised as a whole first.
        real_time: Time to synthesise a second of speech, in seconds.
        gaps_ms: Every silence of more than 50 ms that came between chunks of the replies.
        megabytes: Memory of the engine after that.
        stand_ins: Clauses that were spoken by another voice, because this one was too slow.
        understood: What Whisper made of the fixed sentences.
        word_starts_ms: How far beginnings of words are from those that Whisper finds,
        word_ends_ms: and their ends.
    """

    voice: str
    language: str
    cold_ms: float | None = None
    warm_ms: Latency = field(default_factory=lambda: Latency(0))
    cached_ms: Latency = field(default_factory=lambda: Latency(0))
    reply_ms: Latency = field(default_factory=lambda: Latency(0))
    plain_reply_ms: Latency = field(default_factory=lambda: Latency(0))
    real_time: float | None = None
    gaps_ms: list[float] = field(default_factory=list)
    megabytes: float | None = None
    stand_ins: int = 0
    understood: list[Understood] = field(default_factory=list)
    word_starts_ms: Latency = field(default_factory=lambda: Latency(0))
    word_ends_ms: Latency = field(default_factory=lambda: Latency(0))

    @property
    def reply_ratio(self) -> float | None:
        """First audio of a reply, compared with the plain engine's (medians)."""
        ours, plain = self.reply_ms.p50, self.plain_reply_ms.p50
        return ours / plain if ours is not None and plain else None

    @property
    def wer(self) -> float | None:
        """Wrong words in percent, names left out of account."""
        said = sum(sentence.words for sentence in self.understood)
        wrong = sum(sentence.errors for sentence in self.understood)
        return 100 * wrong / said if said else None

    @property
    def names_heard(self) -> float | None:
        """Names in percent that were spelt as they are written."""
        said = sum(sentence.names for sentence in self.understood)
        heard = sum(sentence.names_heard for sentence in self.understood)
        return 100 * heard / said if said else None

    def to_json(self) -> dict[str, Any]:
        """Return the figures, ready for `json.dumps`."""
        derived = {
            "reply_ratio": self.reply_ratio,
            "wer": self.wer,
            "names_heard": self.names_heard,
        }
        return {**asdict(self), **derived}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Several callers at once, each with a reply in the same voice; milliseconds.

    Attributes:
        voice: ``engine/name``.
        waits_ms: Per call, the longest wait for the first audio of a reply.
        mean_ms: Mean over all replies of all calls.
        gaps: Silences of more than 50 ms between chunks, of all calls together.
        stand_ins: Clauses that were spoken by another voice.
    """

    voice: str
    waits_ms: list[float]
    mean_ms: float
    gaps: int
    stand_ins: int

    @property
    def ratio(self) -> float:
        """The longest wait, compared with the mean."""
        return max(self.waits_ms) / self.mean_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """Many utterances, one after the other.

    Attributes:
        utterances: How many.
        megabytes: Memory of the engine after each tenth of them.
    """

    utterances: int
    megabytes: list[float]

    @property
    def growth(self) -> float:
        """By how much of its memory the engine grew in the second half."""
        half = self.megabytes[len(self.megabytes) // 2]
        return self.megabytes[-1] / half - 1
