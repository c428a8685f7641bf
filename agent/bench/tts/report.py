"""The report of ``eloquence bench tts``: figures, goals, what to print, what to write."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table

from agent.bench.report import rounded
from agent.bench.targets import Target
from agent.bench.tts.figures import Crowd, Figures, Soak
from agent.caller.report import Latency
from agent.errors import UserError

_WER = {"en": 6.0, "fr": 12.0}
# The voice of last resort is a robot; what it reaches is reported, no goal.
_UNJUDGED = "espeak/"
_BUSY = 0.2


@dataclass(slots=True)
class Report:
    """Everything that was measured.

    Attributes:
        about: What the figures depend on.
        voices: One entry per voice.
        crowds: Several calls at once, one entry per voice.
        soaks: Many utterances, by voice.
        bystanders: Share of the machine that other programs took meanwhile.
    """

    about: dict[str, Any]
    voices: list[Figures] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)
    soaks: dict[str, Soak] = field(default_factory=dict)
    bystanders: float = 0.0

    @property
    def targets(self) -> list[Target]:
        """The goals for which there is a figure, for two processor cores."""
        return [
            Target(name, value, limit) for name, value, limit in self._goals() if value is not None
        ]

    def _goals(self) -> Iterator[tuple[str, float | None, float]]:
        for each in self.voices:
            yield f"{each.voice}: known phrase, p50, ms", each.cached_ms.p50, 5
            yield f"{each.voice}: known phrase, p95, ms", each.cached_ms.p95, 15
            yield f"{each.voice}: reply, ours / plain engine", each.reply_ratio, 0.3
            if each.reply_ms.count:
                yield f"{each.voice}: gaps over 50 ms", len(each.gaps_ms), 0
            if not each.voice.startswith(_UNJUDGED) and each.language in _WER:
                yield f"{each.voice}: WER, {each.language}, %", each.wer, _WER[each.language]
            if not each.voice.startswith(_UNJUDGED):
                yield f"{each.voice}: word times, p95, ms", each.word_starts_ms.p95, 150
        for crowd in self.crowds:
            title = f"{crowd.voice}, {len(crowd.waits_ms)} calls"
            yield f"{title}: longest wait / mean", crowd.ratio, 2
        for voice, soak in self.soaks.items():
            yield f"{voice}: memory grown in the second half, %", 100 * soak.growth, 5

    def write(self, path: Path) -> None:
        """Write the JSON to a file.

        Raises:
            UserError: It cannot be written.
        """
        body = {
            "about": self.about,
            "bystanders": self.bystanders,
            "voices": [each.to_json() for each in self.voices],
            "calls": [{**asdict(crowd), "ratio": crowd.ratio} for crowd in self.crowds],
            "soak": {
                voice: {**asdict(soak), "growth": soak.growth} for voice, soak in self.soaks.items()
            },
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
        }
        try:
            path.write_text(json.dumps(rounded(body), ensure_ascii=False, indent=1) + "\n", "utf-8")
        except OSError as error:
            raise UserError(f"Cannot write --json {path}: {error.strerror}.") from None


def render(report: Report) -> Iterator[RenderableType]:
    """Yield what to print."""
    if report.voices:
        yield _voices(report.voices)
    if report.bystanders > _BUSY:
        yield (
            f"warning: other programs took {100 * report.bystanders:.0f} % of this machine while "
            "it measured; take the times with care"
        )
    for crowd in report.crowds:
        waits = ", ".join(f"{wait:.0f}" for wait in crowd.waits_ms)
        yield (
            f"{crowd.voice}, {len(crowd.waits_ms)} calls: longest wait per call, ms: {waits}; "
            f"mean {crowd.mean_ms:.0f}; gaps {crowd.gaps}; stand-ins {crowd.stand_ins}"
        )
    for voice, soak in report.soaks.items():
        memory = ", ".join(f"{megabytes:.0f}" for megabytes in soak.megabytes)
        yield f"{voice}: memory over {soak.utterances} utterances, MB: {memory}"
    table = Table("Target", "Measured", "At most", "Met", box=box.SIMPLE_HEAD)
    for target in report.targets:
        table.add_row(
            target.name,
            f"{target.measured:.2f}",
            f"{target.limit:g}",
            "yes" if target.met else "NO",
        )
    yield table


def _voices(voices: list[Figures]) -> Table:
    table = Table("", *(each.voice for each in voices), box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True

    def row(title: str, *cells: str) -> None:
        table.add_row(title, *cells)

    row("first audio, cold, ms", *(_number(each.cold_ms) for each in voices))
    row("warm, p50 / p95", *(_pair(each.warm_ms) for each in voices))
    row("known phrase, p50 / p95", *(_pair(each.cached_ms) for each in voices))
    row("reply of 3 sentences, p50 / p95", *(_pair(each.reply_ms) for each in voices))
    row("the same, plain engine", *(_pair(each.plain_reply_ms) for each in voices))
    row("ours / plain", *(_number(each.reply_ratio, 2) for each in voices))
    row("real-time factor", *(_number(each.real_time, 3) for each in voices))
    row("gaps over 50 ms", *(str(len(each.gaps_ms)) for each in voices))
    row("clauses by stand-ins", *(str(each.stand_ins) for each in voices))
    row("memory, MB", *(_number(each.megabytes) for each in voices))
    row("WER without names, %", *(_number(each.wer, 1) for each in voices))
    row("names understood, %", *(_number(each.names_heard) for each in voices))
    row("words timed", *(str(each.word_starts_ms.count) for each in voices))
    row("words begin off by, p50 / p95", *(_pair(each.word_starts_ms) for each in voices))
    row("words end off by, p50 / p95", *(_pair(each.word_ends_ms) for each in voices))
    return table


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _pair(latency: Latency) -> str:
    return "-" if latency.p50 is None else f"{latency.p50:.1f} / {_number(latency.p95, 1)}"
