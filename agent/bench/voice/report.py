"""The report of ``eloquence bench voice``: figures, goals, what to print, what to write."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich import box
from rich.console import RenderableType
from rich.table import Table

from agent.bench.bootstrap import Ratio
from agent.bench.report import rounded
from agent.bench.targets import Target
from agent.bench.voice.capacity import Capacity
from agent.bench.voice.figures import BARE, OURS, System, compare
from agent.doctor.capacity import BUDGET
from agent.errors import UserError
from agent.receipts.receipt import STAGES
from agent.settings import Settings

_BUSY = 0.2
_GOALS = {"en": (900.0, 1200.0), "fr": (1400.0, 1800.0)}
TITLES = {OURS: "ours", BARE: "bare agent"}
"""What the systems are called."""


def about(settings: Settings, language: str, calls: int, folder: Path | None) -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "language": language,
        "calls": calls,
        "corpus": folder.name if folder else "synthesised",
        "cores": psutil.cpu_count(),
        "device": settings.device,
        "stt": settings.stt_model,
        "voice": settings.voices.get(language, ""),
        "llm": settings.llm_model,
    }


@dataclass(slots=True)
class Report:
    """Everything that was measured.

    Attributes:
        about: What the figures depend on.
        systems: One entry per system.
        bystanders: Share of the machine that other programs took meanwhile.
        capacity: How many calls fit, if that was asked.
    """

    about: dict[str, Any]
    systems: dict[str, System] = field(default_factory=dict)
    bystanders: float = 0.0
    capacity: Capacity | None = None

    @property
    def ratio(self) -> Ratio | None:
        """Ours over the bare agent, of the medians."""
        if BARE not in self.systems:
            return None
        return compare(self.systems[OURS], self.systems[BARE])

    @property
    def targets(self) -> list[Target]:
        """The goals for which there is a figure, for two processor cores."""
        return [
            Target(name, value, limit) for name, value, limit in self._goals() if value is not None
        ]

    def _goals(self) -> Iterator[tuple[str, float | None, float]]:
        ours = self.systems[OURS]
        p50, p95 = _GOALS.get(self.about["language"], _GOALS["en"])
        if self.about["calls"] == 1:
            yield "voice to voice, p50, ms", ours.latency.p50, p50
            yield "voice to voice, p95, ms", ours.latency.p95, p95
        elif self.about.get("llm") == "replayed":
            yield "voice to voice, p95, ms", ours.latency.p95, 1000 * BUDGET
        yield "false cut-offs, %", _percent(ours.cut_off_share), 5
        yield "missed turns, %", _percent(ours.missed / max(1, len(ours.turns))), 1
        if ratio := self.ratio:
            yield "voice to voice, p50, ours / bare agent", ratio.value, 0.5

    def to_json(self) -> dict[str, Any]:
        """Return the report, ready for `json.dumps`."""
        body = {
            "about": self.about,
            "bystanders": self.bystanders,
            "systems": {name: system.to_json() for name, system in self.systems.items()},
            "capacity": asdict(self.capacity) if self.capacity else None,
            "ratio": asdict(self.ratio) if self.ratio else None,
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
        }
        return {name: rounded(value) for name, value in body.items()}

    def write(self, path: Path) -> None:
        """Write the JSON to a file.

        Raises:
            UserError: It cannot be written.
        """
        try:
            path.write_text(
                json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
            )
        except OSError as error:
            raise UserError(f"Cannot write --json {path}: {error.strerror}.") from None


def render(report: Report) -> Iterator[RenderableType]:
    """Yield what to print."""
    if report.capacity:
        yield from _capacity(report.capacity)
        return
    systems = report.systems
    table = Table("", *(TITLES[name] for name in systems), box=box.SIMPLE_HEAD)
    for title, cells in figures(list(systems.values())):
        table.add_row(title, *cells)
    yield table
    if ratio := report.ratio:
        yield (
            f"p50, ours / bare agent: {ratio.value:.2f}, 95 % [{ratio.low:.2f}, {ratio.high:.2f}]"
        )
    for name, system in systems.items():
        for failure in system.failures:
            yield f"warning: a call of {TITLES[name]} ended early: {failure}"
    if report.bystanders > _BUSY:
        yield (
            f"warning: other programs took {100 * report.bystanders:.0f} % of this machine "
            "meanwhile; take the delays with care"
        )
    for target in report.targets:
        state = "met" if target.met else "not met"
        yield f"{target.name}: {target.measured:.2f} (goal {target.limit:g}): {state}"


def _capacity(found: Capacity) -> Iterator[str]:
    for step in found.steps:
        missed = f", {100 * step.missed:.0f} % of the turns missed" if step.missed else ""
        yield f"{step.calls} calls: p95 {_number(step.p95_ms)} ms{missed}"
    budget = f"{1000 * BUDGET:.0f} ms"
    expected = "" if found.expected is None else f"; `eloquence doctor` expects {found.expected}"
    yield f"{found.calls} simultaneous calls have p95 within {budget}{expected}"


def figures(systems: list[System]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each figure and what the systems have."""
    yield "turns", [str(len(system.turns)) for system in systems]
    yield "voice to voice, p50, ms", [_number(system.latency.p50) for system in systems]
    yield "voice to voice, p95, ms", [_number(system.latency.p95) for system in systems]
    yield "missed turns", [str(system.missed) for system in systems]
    yield (
        "cut-offs (turns with a pause)",
        [
            f"{system.cut_offs} ({sum(turn.hesitates for turn in system.turns)})"
            for system in systems
        ],
    )
    for stage in STAGES:
        if any(stage in system.stages for system in systems):
            yield f"  {stage}, p50, ms", [_number(system.stages.get(stage)) for system in systems]
    if any(system.accounted is not None for system in systems):
        yield (
            "turns that the stages account for, %",
            [_number(_percent(system.accounted)) for system in systems],
        )
    for name in sorted({name for system in systems for name in system.cpu_per_turn}):
        yield (
            f"CPU seconds per turn, {name}",
            [_number(system.cpu_per_turn.get(name), 2) for system in systems],
        )
    yield "MB per call", [_number(system.megabytes_per_call) for system in systems]


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
