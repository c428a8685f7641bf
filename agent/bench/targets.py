"""What the figures should be, and whether they are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.bench.stt.calls import Calls
from agent.bench.stt.long import Long
from agent.bench.stt.phantoms import Phantoms
from agent.bench.stt.rows import OURS
from agent.bench.stt.summary import Language
from agent.errors import UserError

_WER_UPPER = {"en": 2.0, "fr": 4.0}


@dataclass(frozen=True, slots=True)
class Target:
    """One goal; it is met when ``measured`` is at most ``limit``."""

    name: str
    measured: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether the figure is good enough."""
        return self.measured <= self.limit

    def __str__(self) -> str:
        return f"{self.name}: {self.measured:.2f}, at most {self.limit:g}"


def require_met(targets: Iterable[Target]) -> None:
    """Do nothing if every goal is met.

    Raises:
        UserError: One is missed.
    """
    if missed := [target for target in targets if not target.met]:
        raise UserError(f"Missed: {'; '.join(map(str, missed))}.")


def targets(
    languages: Mapping[str, Language],
    together: Language,
    phantoms: Phantoms | None,
    long: Mapping[str, Long],
    calls: Calls | None,
) -> list[Target]:
    """Return the goals for which there is a figure.

    They hold for Whisper base in int8 on two processor cores with the shipped settings.
    """
    goals: list[tuple[str, float | None, float]] = []
    if ours := together.systems.get(OURS):
        goals += [
            ("flush to final, p50, ms", ours.final_ms.p50, 150),
            ("flush to final, p95, ms", ours.final_ms.p95, 350),
            ("end of speech to final, p50, ours / baseline", together.delay_ratio, 0.37),
            ("start of speech to first interim, p50, ms", ours.interim_ms.p50, 700),
            ("looping clips", len(ours.looping), 0),
            ("clips with speech but no transcript", len(ours.silent), 0),
        ]
    for code, language in languages.items():
        if language.difference:
            goals.append((f"{code}: WER, ours - full context", language.difference.points, 0.5))
            if code in _WER_UPPER:
                goals.append(
                    (f"{code}: its upper bound", language.difference.high, _WER_UPPER[code])
                )
    if phantoms:
        goals.append((f"phantoms in {phantoms.clips} sounds", len(phantoms.heard), 0))
    for code, heard in long.items():
        goals += [
            (f"{code}: long stream, words unlike its parts", heard.turns_changed, 0),
            (f"{code}: unbroken, WER above its parts", heard.unbroken_wer - heard.parts_wer, 0.5),
        ]
    goals += _with_calls(calls) if calls else []
    return [Target(name, value, limit) for name, value, limit in goals if value is not None]


def _with_calls(calls: Calls) -> Iterator[tuple[str, float | None, float]]:
    title = f"{calls.calls} calls"
    yield f"{title}: delay, p95, ours / baseline", calls.delay_ratio, 0.35
    if calls.megabytes_one is not None and calls.megabytes_all is not None:
        yield f"{title}: memory above one call, MB", calls.megabytes_all - calls.megabytes_one, 60
    yield f"{title}: starved", calls.starved, 0
