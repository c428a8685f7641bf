"""Playing the clips to one system after the other, so that all see the same noisy machine."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.bench.corpus import Clip, read_recording
from agent.bench.engine import Engine
from agent.bench.machine import Bystanders, Usage
from agent.bench.report import Report
from agent.bench.stt.baseline_process import BaselineProcess
from agent.bench.stt.ours import Ours
from agent.bench.stt.play import Hearing
from agent.bench.stt.rows import OURS, Row, judge
from agent.bench.stt.scene import Scene, stage


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is measured.

    Attributes:
        engine: The engine,
        ours: and its caller.
        model: Directory of the weights, which all systems share.
        systems: Which systems.
    """

    engine: Engine
    ours: Ours
    model: Path
    systems: Sequence[str]


async def measure(
    measurement: Measurement,
    clips: Sequence[Clip],
    report: Report,
    save: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Play clips and add what was heard to a report, which is saved after each.

    Raises:
        APIError: The engine failed.
        UserError: A clip cannot be read, or the baseline failed.
    """
    if not clips:
        return
    engine, baseline = measurement.engine, BaselineProcess(measurement.model)
    alone = set(measurement.systems) == {OURS}
    try:
        if not alone:
            await baseline.start()
        for number, clip in enumerate(clips, 1):
            scene = stage(await asyncio.to_thread(read_recording, clip.path))
            rows: list[Row] = []
            for system in measurement.systems:
                bystanders = Bystanders()
                if system == OURS:
                    before = await engine.speculation()
                    heard = await _ours(measurement, scene, clip.language)
                    for outcome, count in (await engine.speculation()).items():
                        new = count - before.get(outcome, 0.0)
                        report.speculation[outcome] = report.speculation.get(outcome, 0.0) + new
                else:
                    heard = await baseline.hear(clip, system)
                rows.append(judge(clip, scene, system, heard, bystanders.share))
            report.rows += rows
            if engine.usage:
                report.megabytes["engine"] = engine.usage.megabytes
            if not alone:
                report.megabytes["baseline"] = Usage(baseline.pid).megabytes
            say(f"{number}/{len(clips)} {clip.name}: {_brief(rows)}")
            save()
    finally:
        await baseline.aclose()


async def _ours(measurement: Measurement, scene: Scene, language: str) -> Hearing:
    usage = measurement.engine.usage
    before = usage.cpu_seconds if usage else 0.0
    heard = await measurement.ours.hear(scene, language)
    engine = heard.engine_seconds = usage.cpu_seconds - before if usage else None
    # The baseline's process holds its detector too: like must be held against like.
    client = heard.cpu_seconds
    heard.cpu_seconds = None if engine is None or client is None else engine + client
    return heard


def _brief(rows: Sequence[Row]) -> str:
    parts = []
    for row in rows:
        delay = "" if row.delay_ms is None else f" after {row.delay_ms:.0f} ms"
        parts.append(f"{row.system} {row.errors}/{row.words} wrong{delay}")
    return ", ".join(parts)
