"""The figures of a language, from the rows of its clips."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from agent.bench.bootstrap import Difference, paired_difference
from agent.bench.stt.rows import BASELINE, OURS, REFERENCE, Row
from agent.caller.report import Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One system on the clips of one language; what was not measured is None.

    Attributes:
        clips: How many clips it heard.
        wer: Wrong words in percent of those said.
        delay_ms: True end of speech to final transcript.
        final_ms: Flush to final transcript.
        interim_ms: Start of speech to first interim transcript, over the clips that had one.
        without_interim: Clips that had none.
        interim_stability: Share of the words of interims that the next transcript kept.
        cpu_per_second: Processor seconds per second of audio, VAD and framework included.
        engine_per_second: What of it the engine took.
        looping: Clips on which it repeated itself.
        silent: Clips on which it heard speech but said nothing.
        missed: Clips on which its VAD did not fire.
        bystanders: Share of the machine that other programs took, at the median.
    """

    clips: int
    wer: float | None
    delay_ms: Latency
    final_ms: Latency
    interim_ms: Latency
    without_interim: int
    interim_stability: float | None
    cpu_per_second: float | None
    engine_per_second: float | None
    looping: list[str]
    silent: list[str]
    missed: list[str]
    bystanders: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """All systems on the clips of one language.

    Attributes:
        systems: By name.
        difference: WER of ours minus that of the reference, in points, over the clips of both.
        delay_ratio: Median delay of ours over that of the baseline, over the clips of both.
    """

    systems: dict[str, System]
    difference: Difference | None
    delay_ratio: float | None


def summarize(rows: Sequence[Row]) -> Language:
    """Return the figures of some rows."""
    by_system: dict[str, list[Row]] = {}
    for row in rows:
        by_system.setdefault(row.system, []).append(row)
    pairs = _pairs(by_system, OURS, REFERENCE)
    return Language(
        systems={name: _system(group) for name, group in by_system.items()},
        difference=paired_difference(
            [ours.errors for ours, _ in pairs],
            [other.errors for _, other in pairs],
            [ours.words for ours, _ in pairs],
        ),
        delay_ratio=_delay_ratio(_pairs(by_system, OURS, BASELINE)),
    )


def _system(rows: Sequence[Row]) -> System:
    said = sum(row.words for row in rows)
    shown = sum(row.interim_words for row in rows)
    streamed = rows[0].system != REFERENCE
    return System(
        clips=len(rows),
        wer=100 * sum(row.errors for row in rows) / said if said else None,
        delay_ms=_latency(row.delay_ms for row in rows),
        final_ms=_latency(row.final_ms for row in rows),
        interim_ms=_latency(row.interim_ms for row in rows),
        without_interim=sum(row.interim_ms is None for row in rows),
        interim_stability=sum(row.interim_kept for row in rows) / shown if shown else None,
        cpu_per_second=_per_second((row.cpu_seconds, row.played) for row in rows),
        engine_per_second=_per_second((row.engine_seconds, row.played) for row in rows),
        looping=[row.clip for row in rows if row.looping],
        silent=[row.clip for row in rows if not row.text and (row.vad_ends or not streamed)],
        missed=[row.clip for row in rows if streamed and not row.vad_ends],
        bystanders=median(row.bystanders for row in rows),
    )


def _per_second(costs: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(spent, played) for spent, played in costs if spent is not None and played]
    if not known:
        return None
    return sum(spent for spent, _ in known) / sum(played for _, played in known)


def _latency(values: Iterable[float | None]) -> Latency:
    return Latency.of([value for value in values if value is not None])


def _pairs(by_system: dict[str, list[Row]], one: str, other: str) -> list[tuple[Row, Row]]:
    others = {row.clip: row for row in by_system.get(other, [])}
    return [(row, others[row.clip]) for row in by_system.get(one, []) if row.clip in others]


def _delay_ratio(pairs: Sequence[tuple[Row, Row]]) -> float | None:
    heard = [
        (ours.delay_ms, other.delay_ms)
        for ours, other in pairs
        if ours.delay_ms is not None and other.delay_ms is not None
    ]
    ours = Latency.of([delay for delay, _ in heard]).p50
    other = Latency.of([delay for _, delay in heard]).p50
    return ours / other if ours is not None and other else None
