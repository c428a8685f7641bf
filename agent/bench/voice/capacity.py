"""How many simultaneous calls the machine takes: by trying, beside what ``doctor`` expects."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.bench.voice.figures import System
from agent.doctor import speech, thinking
from agent.doctor.advice import figures_of
from agent.doctor.capacity import BUDGET, Placement, estimate
from agent.settings import Settings

MOST_CALLS = 16
_MOST_MISSED = 0.01

CallAll = Callable[[int], Awaitable[System]]
"""Lets so many callers call at the same time, and returns what they heard."""


@dataclass(frozen=True, slots=True)
class Step:
    """So many calls at the same time.

    Attributes:
        calls: How many.
        p95_ms: 95th percentile of voice to voice.
        missed: Share of the turns without an answer, in [0, 1].
    """

    calls: int
    p95_ms: float | None
    missed: float

    @property
    def within(self) -> bool:
        """Whether callers were answered, and within the budget."""
        fast = self.p95_ms is not None and self.p95_ms <= BUDGET * 1000
        return fast and self.missed <= _MOST_MISSED


@dataclass(slots=True)
class Capacity:
    """What was found.

    Attributes:
        expected: What ``doctor`` expects of this machine now; None if it could not measure.
        steps: What was tried, up to the first that is over the budget.
    """

    expected: int | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """Simultaneous calls within the budget."""
        return sum(step.within for step in self.steps)


async def expected_calls(settings: Settings, *, llm_apart: bool) -> int | None:
    """Return how many calls ``doctor`` would say that a running stack takes."""
    findings = {
        "speech": await speech.round_trip(settings),
        "llm speed": await thinking.speed(settings),
    }
    figures = figures_of(findings)
    return estimate(figures, Placement(llm_apart=llm_apart)).calls if figures else None


async def raise_calls(call_all: CallAll, found: Capacity) -> None:
    """Let more and more callers call, until they have to wait for too long."""
    for calls in range(1, MOST_CALLS + 1):
        system = await call_all(calls)
        missed = system.missed / len(system.turns) if system.turns else 1.0
        found.steps.append(Step(calls, system.latency.p95, missed))
        if not found.steps[-1].within:
            return
