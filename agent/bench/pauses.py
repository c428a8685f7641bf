"""The command ``eloquence bench pauses``."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from livekit.agents import APIError, LanguageCode, inference
from rich import box
from rich.console import Console
from rich.table import Table

from agent.bench import corpus, pause_set
from agent.bench.engine import run_engine
from agent.bench.pause_judge import Verdict, judge, outcome
from agent.bench.pause_set import Breath
from agent.errors import UserError
from agent.settings import Settings, load
from agent.turn_taking import Endpointing, delays

_THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)


def pauses(
    folder: Annotated[Path, typer.Argument(help="Where to write the clips, a corpus.")],
    language: Annotated[
        str | None, typer.Option(help="What is spoken; default: the first of LANGUAGES.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--corpus", help="Recordings to cut, too; default: shared/speech."),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="Address of a running engine; default: start one.")
    ] = None,
) -> None:
    """Make clips with pauses in mid-sentence, and judge the delays of turns on them.

    `eloquence bench voice --corpus FOLDER` plays them in calls.
    """
    settings = load()
    spoken = language or settings.language
    try:
        breaths = asyncio.run(_spoken(settings, spoken, engine))
    except APIError as error:
        raise UserError(f"The engine failed: {error.message}") from None
    if recorded := source or corpus.default_folder():
        breaths += pause_set.recordings(recorded, spoken)
    if not breaths:
        raise UserError(f"There is nothing to pause in {spoken}; name recordings with --corpus.")
    clips = pause_set.write(breaths, folder, spoken)
    verdicts = judge(breaths)
    threshold = asyncio.run(_threshold(spoken))
    console = Console()
    console.print(f"{clips} clips of {len(breaths)} sentences in {folder}", highlight=False)
    console.print(_table(verdicts, delays(spoken), threshold))


async def _spoken(settings: Settings, language: str, engine: str | None) -> list[Breath]:
    async with run_engine(settings, engine) as running:
        return await pause_set.hesitations(running.address, language)


async def _threshold(language: str) -> float:
    detector = inference.TurnDetector(version="v1-mini")
    return await detector.unlikely_threshold(LanguageCode(language)) or 0.0


def _table(verdicts: list[Verdict], chosen: Endpointing, threshold: float) -> Table:
    table = Table(
        "threshold",
        "min, s",
        "max, s",
        "pauses that end the turn, %",
        "wait at the end, mean, s",
        "p95, s",
        box=box.SIMPLE_HEAD,
    )
    for delay, limit in _candidates(chosen, threshold):
        found = outcome(verdicts, delay, limit)
        table.add_row(
            f"{limit:.2f}",
            f"{delay.min_delay:.1f}",
            f"{delay.max_delay:.1f}",
            f"{100 * found.cut_off:.0f}",
            f"{found.wait_mean:.2f}",
            f"{found.wait_p95:.2f}",
        )
    return table


def _candidates(chosen: Endpointing, threshold: float) -> Iterator[tuple[Endpointing, float]]:
    """Yield the shipped choice, the same delays with other thresholds, and the framework's."""
    yield chosen, threshold
    for limit in _THRESHOLDS:
        yield chosen, limit
    yield Endpointing(0.3, 2.5), threshold
