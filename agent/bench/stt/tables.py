"""The report as tables for a terminal; two figures of a delay are its p50 and p95."""

from collections.abc import Callable, Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table

from agent.bench.report import Report
from agent.bench.stt.rows import BASELINE, NATIVE, OURS, REFERENCE
from agent.bench.stt.summary import Language, System
from agent.caller.report import Latency

_TITLES = {
    OURS: "ours",
    BASELINE: "baseline",
    NATIVE: "0.25 s VAD",
    REFERENCE: "full context",
}
_FIGURES: list[tuple[str, Callable[[System], str]]] = [
    ("clips", lambda system: str(system.clips)),
    ("WER, %", lambda system: _number(system.wer, 2)),
    ("speech end to final, ms", lambda system: _pair(system.delay_ms)),
    ("flush to final, ms", lambda system: _pair(system.final_ms)),
    ("first interim, ms", lambda system: _number(system.interim_ms.p50)),
    ("interim words that last, %", lambda system: _percent(system.interim_stability)),
    ("CPU seconds per second", lambda system: _number(system.cpu_per_second, 3)),
    ("of which the engine", lambda system: _number(system.engine_per_second, 3)),
    ("looping", lambda system: _names(system.looping)),
    ("no transcript", lambda system: _names(system.silent)),
    ("missed by the VAD", lambda system: _names(system.missed)),
    ("machine taken by others, %", lambda system: _percent(system.bystanders)),
]

# Above this share of the machine, what others do is in the delays.
_BUSY = 0.2


def render(report: Report) -> Iterator[RenderableType]:
    """Yield what to print."""
    languages = report.languages
    for code, language in languages.items():
        yield _language(code, language)
    if len(languages) > 1:
        yield _language("all", report.together)
    yield from _lines(report)
    yield _targets(report)


def _language(code: str, language: Language) -> Table:
    systems = {name: language.systems[name] for name in _TITLES if name in language.systems}
    table = Table(code, *(_TITLES[name] for name in systems), box=box.SIMPLE_HEAD)
    table.columns[0].no_wrap = True
    for title, figure in _FIGURES:
        table.add_row(title, *(figure(system) for system in systems.values()))
    return table


def _lines(report: Report) -> Iterator[str]:
    busy = max((row.bystanders for row in report.rows), default=0.0)
    if busy > _BUSY:
        yield (
            f"warning: other programs took up to {_percent(busy)} % of this machine while it "
            "measured; take the delays with care"
        )
    for code, language in report.languages.items():
        if difference := language.difference:
            yield (
                f"{code}: WER of ours - full context: {difference.points:+.2f} points, "
                f"95 % [{difference.low:+.2f}, {difference.high:+.2f}]"
            )
    if report.speculation:
        counts = ", ".join(f"{count:.0f} {name}" for name, count in report.speculation.items())
        yield f"speculation: hit rate {_percent(report.hit_rate)} % ({counts})"
    for name, megabytes in report.megabytes.items():
        yield f"memory of the {name}: {megabytes:.0f} MB"
    if report.phantoms:
        yield f"sounds without speech: {report.phantoms.clips}, of which gave a transcript: " + (
            "; ".join(f"{name}: {texts}" for name, texts in report.phantoms.heard.items()) or "none"
        )
    for code, long in report.long.items():
        yield (
            f"{code}: {long.seconds:.0f} s as one stream: WER {long.turns_wer:.2f} %, "
            f"unbroken {long.unbroken_wer:.2f} %, its parts {long.parts_wer:.2f} %; "
            f"{long.turns_changed} and {long.unbroken_changed} of {long.words} words unlike these"
        )
    if calls := report.calls:
        waits = ", ".join(_number(wait) for wait in calls.longest_wait_ms)
        yield (
            f"{calls.calls} calls: end of speech to final, p50 / p95, ms: "
            f"{_pair(calls.delay_ms)}, baseline {_pair(calls.baseline_delay_ms)}; "
            f"longest wait per call, ms: {waits}; memory, MB: {_number(calls.megabytes_one)} with "
            f"one call, {_number(calls.megabytes_all)} with all, baseline "
            f"{_number(calls.baseline_megabytes)}"
        )


def _targets(report: Report) -> Table:
    table = Table("Target", "Measured", "At most", "Met", box=box.SIMPLE_HEAD)
    for target in report.targets:
        table.add_row(
            target.name,
            f"{target.measured:.2f}",
            f"{target.limit:g}",
            "yes" if target.met else "NO",
        )
    return table


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f}"


def _pair(latency: Latency) -> str:
    return "-" if latency.p50 is None else f"{latency.p50:.0f} / {_number(latency.p95)}"


def _names(clips: list[str]) -> str:
    more = f" and {len(clips) - 3} more" if len(clips) > 3 else ""
    return ", ".join(clips[:3]) + more if clips else "0"
