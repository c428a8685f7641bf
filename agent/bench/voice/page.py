"""The report of ``eloquence bench voice`` as one HTML page that needs nothing from elsewhere."""

import platform
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from agent.bench.voice.figures import System
from agent.bench.voice.report import TITLES, Report, figures
from agent.errors import UserError
from agent.receipts.receipt import Receipt

_WIDTH = 760
_LEFT = 110
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #1b1f24; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #d8dee4;
  vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { display: block; max-width: 100%; height: auto; margin: 1rem 0; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.met { color: #1a7f37; } .missed { color: #cf222e; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; } th, td { border-color: #30363d; }
}
"""
_COLOURS = ("#0969da", "#bf8700")
_CUT_OFF = "#cf222e"


def write(report: Report, path: Path) -> None:
    """Write the page.

    Raises:
        UserError: It cannot be written.
    """
    try:
        path.write_text(page(report), encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write --report {path}: {error.strerror}.") from None


def page(report: Report) -> str:
    """Return the page's HTML."""
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>Voice to voice</title><style>{_STYLE}</style></head><body>",
            "<h1>Voice to voice</h1>",
            "<p>Milliseconds from the end of a caller's speech to the first sound of the answer, ",
            "at the caller's ear.</p>",
            _about(report),
            _goals(report),
            _table(report),
            "<h2>Every turn</h2>",
            strips(report.systems),
            _waterfalls(report),
            "".join(_turns(name, system) for name, system in report.systems.items()),
            "</body></html>\n",
        ]
    )


def strips(systems: dict[str, System]) -> str:
    """Return a drawing with a dot for each turn, and a bar at the median and the 95th percentile.

    Turns in which the caller was cut off are red.
    """
    most = max((system.latency.max or 0.0 for system in systems.values()), default=0.0)
    end = max(500.0, 500.0 * (most // 500 + 1))
    height = 60 * len(systems) + 40

    def x(milliseconds: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 20) * milliseconds / end

    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Latency of each turn">']
    step = 500.0 if end <= 5000 else 1000.0
    for tick in range(round(end / step) + 1):
        at = x(tick * step)
        parts.append(f'<path d="M{at:.1f} 10V{height - 25}" stroke="#8886"/>')
        parts.append(
            f'<text x="{at:.1f}" y="{height - 8}" text-anchor="middle">{tick * step:.0f}</text>'
        )
    for row, (name, system) in enumerate(systems.items()):
        middle, colour = 35 + 60 * row, _COLOURS[row % len(_COLOURS)]
        parts.append(f'<text x="0" y="{middle + 4}">{escape(TITLES[name])}</text>')
        for number, turn in enumerate(system.turns):
            if turn.latency_ms is not None:
                fill = _CUT_OFF if turn.cut_off else colour
                y = middle + 6 * (number % 5 - 2)
                parts.append(
                    f'<circle cx="{x(turn.latency_ms):.1f}" cy="{y}" r="4" fill="{fill}" '
                    f'fill-opacity=".7"><title>{escape(turn.asked)}: {turn.latency_ms:.0f} ms'
                    "</title></circle>"
                )
        for value in (system.latency.p50, system.latency.p95):
            if value is not None:
                parts.append(
                    f'<path d="M{x(value):.1f} {middle - 22}v44" stroke="{colour}" '
                    'stroke-width="2"/>'
                )
    return "".join([*parts, "</svg>"])


def waterfall(receipt: Receipt) -> str:
    """Return a drawing of the stages of a turn, from the end of the caller's speech on."""
    end = max([stage.end for stage in receipt.stages], default=0.0)
    begin = min([receipt.begin, *(stage.start for stage in receipt.stages)], default=0.0)
    scale = (_WIDTH - _LEFT - 70) / max(end - begin, 1.0)
    height = 18 * len(receipt.stages) + 6
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Stages of a turn">']
    for row, stage in enumerate(receipt.stages):
        x, y = _LEFT + (stage.start - begin) * scale, 18 * row + 4
        width = max(1.0, stage.duration * scale)
        parts.append(f'<text x="0" y="{y + 10}">{stage.name}</text>')
        parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="12" fill="{_COLOURS[0]}" '
            'fill-opacity=".7"/>'
        )
        parts.append(f'<text x="{x + width + 4:.1f}" y="{y + 10}">{stage.duration:.0f}</text>')
    return "".join([*parts, "</svg>"])


def _waterfalls(report: Report) -> str:
    drawn = [
        f"<p>{escape(turn.asked)}</p>{waterfall(turn.receipt)}"
        for system in report.systems.values()
        for turn in system.turns
        if turn.receipt
    ]
    return "".join(["<h2>Stages of each turn, in milliseconds</h2>", *drawn]) if drawn else ""


def _about(report: Report) -> str:
    machine = {"machine": platform.machine(), "system": platform.system(), **report.about}
    rows = (
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
        for name, value in machine.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _goals(report: Report) -> str:
    rows = []
    for target in report.targets:
        kind, word = ("met", "met") if target.met else ("missed", "not met")
        rows.append(
            f'<tr><td>{escape(target.name)}</td><td class="n">{target.measured:.2f}</td>'
            f'<td class="n">{target.limit:g}</td><td class="{kind}">{word}</td></tr>'
        )
    return (
        "<h2>Goals</h2><table><tr><th>figure</th><th>measured</th><th>goal</th><th></th></tr>"
        f"{''.join(rows)}</table>"
    )


def _table(report: Report) -> str:
    head = "".join(f"<th>{escape(TITLES[name])}</th>" for name in report.systems)
    rows = "".join(_row(title, cells) for title, cells in figures(list(report.systems.values())))
    ratio = ""
    if found := report.ratio:
        ratio = (
            f"<p>Ratio of the medians: {found.value:.2f}, "
            f"95 % interval {found.low:.2f} to {found.high:.2f}.</p>"
        )
    return f"<h2>Figures</h2><table><tr><th></th>{head}</tr>{rows}</table>{ratio}"


def _row(title: str, cells: Sequence[str]) -> str:
    values = "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells)
    return f"<tr><td>{escape(title)}</td>{values}</tr>"


def _turns(name: str, system: System) -> str:
    return "".join(["<h3>", escape(TITLES[name]), "</h3><table>", *_turn_rows(system), "</table>"])


def _turn_rows(system: System) -> Iterator[str]:
    yield "<tr><th>understood</th><th>answered</th><th>ms</th></tr>"
    for turn in system.turns:
        latency = "missed" if turn.latency_ms is None else f"{turn.latency_ms:.0f}"
        if turn.cut_off:
            latency += ", cut off"
        yield (
            f"<tr><td>{escape(turn.asked)}</td><td>{escape(turn.answered)}</td>"
            f'<td class="n">{latency}</td></tr>'
        )
