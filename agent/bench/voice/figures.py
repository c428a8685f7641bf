"""Turns of callers and the figures that follow from them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from agent.bench.bootstrap import Ratio, ratio_of_medians
from agent.caller.report import Latency
from agent.receipts.account import share_accounted
from agent.receipts.receipt import STAGES, Receipt

OURS = "ours"
BARE = "bare"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceTurn:
    """One turn, as its caller heard it.

    Attributes:
        line: What was said.
        hesitates: Whether there was a pause in mid-sentence.
        caller: Which of the simultaneous callers said it.
        latency_ms: From the end of speech to the first audio of the answer; None: there was none.
        cut_off: The agent began to speak before the caller was done.
        asked: What the agent understood.
        answered: What it said.
        receipt: The agent's account of the wait; a bare agent gives none.
    """

    line: str
    hesitates: bool
    caller: int
    latency_ms: float | None
    cut_off: bool
    asked: str
    answered: str
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What calls cost.

    Attributes:
        seconds: How long they took, together.
        cpu_seconds: Processor time meanwhile, by service.
        megabytes: Memory that the calls added.
    """

    seconds: float
    cpu_seconds: dict[str, float]
    megabytes: float


@dataclass(slots=True)
class System:
    """One agent under test.

    Attributes:
        turns: In the order in which they were spoken.
        costs: One entry for each time that all callers called.
        failures: Why calls ended early.
    """

    turns: list[VoiceTurn] = field(default_factory=list)
    costs: list[Costs] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def latency(self) -> Latency:
        """Voice to voice, over the turns that were answered."""
        return Latency.of([turn.latency_ms for turn in self.turns if turn.latency_ms is not None])

    @property
    def stages(self) -> dict[str, float]:
        """Median milliseconds of each stage of a turn; stages overlap (see `Receipt`)."""
        receipts = [turn.receipt for turn in self.turns if turn.receipt]
        found = {
            name: [stage.duration for receipt in receipts if (stage := receipt.stage(name))]
            for name in STAGES
        }
        return {name: median(durations) for name, durations in found.items() if durations}

    @property
    def accounted(self) -> float | None:
        """Share of the turns whose stages account for what the caller measured, in [0, 1]."""
        turns = [
            (turn.receipt, turn.latency_ms)
            for turn in self.turns
            if turn.receipt and turn.latency_ms is not None
        ]
        return share_accounted(turns) if turns else None

    @property
    def missed(self) -> int:
        """Turns without an answer."""
        return sum(turn.latency_ms is None for turn in self.turns)

    @property
    def cut_offs(self) -> int:
        """Turns in which the agent spoke before the caller was done."""
        return sum(turn.cut_off for turn in self.turns)

    @property
    def cut_off_share(self) -> float | None:
        """Their part of all turns, in [0, 1]."""
        return self.cut_offs / len(self.turns) if self.turns else None

    @property
    def cpu_per_turn(self) -> dict[str, float]:
        """Processor seconds for each turn, by service."""
        names = {name for cost in self.costs for name in cost.cpu_seconds}
        turns = max(1, len(self.turns))
        return {
            name: sum(cost.cpu_seconds.get(name, 0.0) for cost in self.costs) / turns
            for name in sorted(names)
        }

    @property
    def megabytes_per_call(self) -> float | None:
        """Memory for each call, at the most."""
        return max((cost.megabytes for cost in self.costs), default=None)

    def to_json(self) -> dict[str, Any]:
        """Return the figures, ready for `json.dumps`."""
        return {
            "latency_ms": asdict(self.latency),
            "missed": self.missed,
            "cut_offs": self.cut_offs,
            "cut_off_share": self.cut_off_share,
            "stages_ms": self.stages,
            "accounted": self.accounted,
            "cpu_seconds_per_turn": self.cpu_per_turn,
            "megabytes_per_call": self.megabytes_per_call,
            "failures": self.failures,
            "turns": [
                {**asdict(turn), "receipt": turn.receipt.to_json() if turn.receipt else None}
                for turn in self.turns
            ],
        }


def compare(ours: System, bare: System) -> Ratio | None:
    """Return the ratio of the medians of both, over the lines that both answered."""
    pairs: list[tuple[float, float]] = []
    answered: dict[tuple[str, int], list[float]] = {}
    for turn in bare.turns:
        if turn.latency_ms is not None:
            answered.setdefault((turn.line, turn.caller), []).append(turn.latency_ms)
    for turn in ours.turns:
        others = answered.get((turn.line, turn.caller))
        if turn.latency_ms is not None and others:
            pairs.append((turn.latency_ms, others.pop(0)))
    return ratio_of_medians(*_columns(pairs))


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [one for one, _ in pairs], [other for _, other in pairs]
