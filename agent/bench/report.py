"""The outcome of a run, as JSON and as text.

The JSON (`Report.to_json`); times in milliseconds, ``null`` is what was not measured:

- ``about``: what was run: corpus, model, beam, cores, language detection.
- ``languages``: per language and for ``all``: ``systems`` (``ours``; ``silero``, the baseline;
  ``native``, the baseline with the framework's VAD; ``reference``, full context) with ``clips``,
  ``wer``, ``delay_ms``, ``final_ms``, ``interim_ms`` (``count``, ``p50``, ``p90``, ``p95``,
  ``max``), ``without_interim``, ``interim_stability``, ``cpu_per_second``,
  ``engine_per_second``, ``looping``, ``silent``, ``missed``, ``bystanders``; ``difference``
  (``points``, ``low``, ``high``); ``delay_ratio``.
- ``speculation``: ``used``, ``missed``, ``wasted`` early decodes, and ``hit_rate``.
- ``megabytes``: memory of ``engine`` and ``baseline``.
- ``phantoms``, ``long`` (per language), ``calls``: see the modules of these names.
- ``targets``: list of ``name``, ``measured``, ``limit``, ``met``.
- ``rows``: one object per clip and system, see `agent.bench.stt.rows.Row`.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.bench.stt.calls import Calls
from agent.bench.stt.long import Long
from agent.bench.stt.phantoms import Phantoms
from agent.bench.stt.rows import Row
from agent.bench.stt.summary import Language, summarize
from agent.bench.targets import Target, targets
from agent.caller.report import Latency
from agent.errors import UserError


@dataclass(slots=True)
class Report:
    """What was measured so far; see the module for the fields."""

    about: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    speculation: dict[str, float] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)
    phantoms: Phantoms | None = None
    long: dict[str, Long] = field(default_factory=dict)
    calls: Calls | None = None

    @property
    def languages(self) -> dict[str, Language]:
        """The figures per language."""
        codes = dict.fromkeys(row.language for row in self.rows)
        return {
            code: summarize([row for row in self.rows if row.language == code]) for code in codes
        }

    @property
    def together(self) -> Language:
        """The figures over all languages."""
        return summarize(self.rows)

    @property
    def hit_rate(self) -> float | None:
        """Share of final transcripts that were there before they were asked for."""
        used, missed = self.speculation.get("used", 0.0), self.speculation.get("missed", 0.0)
        return used / (used + missed) if used + missed else None

    @property
    def targets(self) -> list[Target]:
        """The goals, and whether they are met."""
        return targets(self.languages, self.together, self.phantoms, self.long, self.calls)

    def to_json(self) -> dict[str, Any]:
        """Return the report, ready for `json.dumps`."""
        languages = {**self.languages, "all": self.together} if self.rows else {}
        body = {
            "about": self.about,
            "languages": {code: asdict(language) for code, language in languages.items()},
            "speculation": {**self.speculation, "hit_rate": self.hit_rate},
            "megabytes": self.megabytes,
            "phantoms": asdict(self.phantoms) if self.phantoms else None,
            "long": {code: asdict(long) for code, long in self.long.items()},
            "calls": asdict(self.calls) if self.calls else None,
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
            "rows": [row.to_json() for row in self.rows],
        }
        return {name: rounded(value) for name, value in body.items()}

    def write(self, path: Path) -> None:
        """Write the JSON to a file.

        Raises:
            UserError: It cannot be written.
        """
        document = json.dumps(self.to_json(), ensure_ascii=False, indent=1)
        partial = path.with_name(f"{path.name}.part")
        try:
            partial.write_text(document + "\n", encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise UserError(f"Cannot write --json {path}: {error.strerror}.") from None


def read(path: Path, about: dict[str, Any]) -> Report:
    """Read a report, in order to add to it.

    Raises:
        UserError: It cannot be read, or comes from a run with other settings.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        calls = body["calls"]
        report = Report(
            about=body["about"],
            rows=[Row.from_json(row) for row in body["rows"]],
            speculation={
                name: count for name, count in body["speculation"].items() if name != "hit_rate"
            },
            megabytes=body["megabytes"],
            phantoms=Phantoms(**body["phantoms"]) if body["phantoms"] else None,
            long={code: Long(**long) for code, long in body["long"].items()},
            calls=_calls(calls) if calls else None,
        )
    except OSError as error:
        raise UserError(f"Cannot read --json {path}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"--resume needs a report of this version, and {path} is none.") from None
    if report.about != about:
        raise UserError(
            f"--resume cannot go on with {path}: it was measured with {_brief(report.about)}, "
            f"but this run has {_brief(about)}."
        )
    return report


def _calls(body: dict[str, Any]) -> Calls:
    latencies = ("delay_ms", "baseline_delay_ms", "final_ms")
    return Calls(**{**body, **{name: Latency(**body[name]) for name in latencies}})


def _brief(about: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in about.items())


def rounded(value: object) -> object:
    """Return a JSON value with its numbers rounded to three digits."""
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
