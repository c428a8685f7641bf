"""How many simultaneous calls a machine should take: a model, to be held to account by measuring.

A call is a customer of a closed queueing network: its caller listens and speaks for a while
(`Assumptions.think`), then its turn needs work of the recogniser, the language model and the voice.
What shares processor cores is one station with one queue; a GPU or a server elsewhere is a station
of its own. Mean value analysis (Reiser and Lavenberg, 1980) gives the mean queue that a turn finds
at each station when ``n`` calls go on:

    R_k(n) = D_k (1 + Q_k(n - 1))    X(n) = n / (Z + sum R_k(n))    Q_k(n) = X(n) R_k(n)

with the demand ``D_k`` of a turn and the think time ``Z``. The turn's latency, from the end of
speech to the first audio, is what it takes alone up to there, plus ``D_k Q_k(n - 1)`` of waiting
at each station. The capacity is the largest ``n`` whose mean latency is within the budget.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, takewhile

BUDGET = 1.2
"""Seconds from the end of speech to the first audio of the answer."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured on this machine, of one turn alone.

    Attributes:
        decode_seconds: From the end of an utterance to its transcript.
        voice_first_seconds: From a clause to its first audio.
        voice_rtf: Seconds of work for each second of speech.
        llm_first_seconds: From the question to the first token of the answer.
        llm_tokens_per_second: Tokens after that.
    """

    decode_seconds: float
    voice_first_seconds: float
    voice_rtf: float
    llm_first_seconds: float
    llm_tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Which parts share processor cores.

    Attributes:
        ears_apart: Whether the recogniser runs on a GPU.
        llm_apart: Whether the language model runs on another machine or on a GPU.
    """

    ears_apart: bool = False
    llm_apart: bool = False


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a turn is like.

    Attributes:
        think: Seconds in which a call asks nothing of the machine: its caller speaks and listens.
        fixed: Seconds of each turn that no queue changes: noticing the pause, judging that the
            turn is over, transport both ways.
        decodes: Decodes for each turn, those on speculation and for interim text included.
        requests: Requests to the language model for each turn; those that are thrown away because
            the caller goes on cost about half.
        reply_tokens: Length of an answer.
        clause_tokens: Tokens after which its first clause is complete.
        reply_seconds: The answer's length as speech.
        llm_batch: Requests that a language model of its own answers at once.
    """

    think: float = 12.0
    fixed: float = 0.35
    decodes: float = 2.0
    requests: float = 1.5
    reply_tokens: float = 30.0
    clause_tokens: float = 8.0
    reply_seconds: float = 5.0
    llm_batch: float = 4.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the model says.

    Attributes:
        calls: Simultaneous calls within the budget; 0 if not even one is.
        budget: Seconds.
        latencies: Expected seconds to the first audio, with 1, 2, … calls, up to the first that
            is over the budget.
        parts: What a turn takes alone, in seconds, by part.
    """

    calls: int
    budget: float
    latencies: tuple[float, ...]
    parts: Mapping[str, float]

    @property
    def slowest(self) -> str:
        """The part that takes the most of a turn."""
        return max(self.parts, key=lambda name: self.parts[name])


def estimate(
    figures: Figures,
    placement: Placement = Placement(),
    assumed: Assumptions = Assumptions(),
    *,
    budget: float = BUDGET,
    most: int = 200,
) -> Estimate:
    """Return how many calls a machine should take.

    Args:
        figures: What was measured.
        placement: What shares what.
        assumed: What a turn is like.
        budget: Seconds to the first audio.
        most: Where to stop counting.
    """
    token = 1 / figures.llm_tokens_per_second
    parts = {
        "fixed": assumed.fixed,
        "recogniser": figures.decode_seconds,
        "language model": figures.llm_first_seconds + assumed.clause_tokens * token,
        "voice": figures.voice_first_seconds,
    }
    demands = _demands(figures, placement, assumed)
    alone = sum(parts.values())
    waits = islice(_waits(demands, assumed.think), most)
    latencies = [alone + wait for wait in waits]
    within = list(takewhile(lambda latency: latency <= budget, latencies))
    shown = latencies[: len(within) + 1]
    return Estimate(len(within), budget, tuple(shown), parts)


def _demands(figures: Figures, placement: Placement, assumed: Assumptions) -> list[float]:
    """Return the seconds of work that a turn needs of each station."""
    ears = assumed.decodes * figures.decode_seconds
    voice = assumed.reply_seconds * figures.voice_rtf
    reply = figures.llm_first_seconds + assumed.reply_tokens / figures.llm_tokens_per_second
    llm = assumed.requests * reply
    cores = voice
    others = []
    if placement.ears_apart:
        others.append(ears)
    else:
        cores += ears
    if placement.llm_apart:
        others.append(llm / assumed.llm_batch)
    else:
        cores += llm
    return [cores, *others]


def _waits(demands: list[float], think: float) -> Iterator[float]:
    """Yield the mean time that a turn waits at all stations, with 1, 2, … calls."""
    queues = [0.0] * len(demands)
    calls = 1
    while True:
        yield sum(demand * queue for demand, queue in zip(demands, queues, strict=True))
        times = [demand * (1 + queue) for demand, queue in zip(demands, queues, strict=True)]
        rate = calls / (think + sum(times))
        queues = [rate * time for time in times]
        calls += 1
