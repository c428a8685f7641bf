"""The command ``eloquence bench pauses``."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from livekit.agents import APIError, LanguageCode, inference
from livekit.plugins import local
from rich import box
from rich.console import Console
from rich.table import Table

from agent.bench import corpus
from agent.bench.engine import run_engine
from agent.bench.pauses import set as pause_set
from agent.bench.pauses.judge import Verdict, judge, outcome
from agent.bench.pauses.set import Breath
from agent.bench.voice.script import frame_of
from agent.call.turn_taking import Detector, Endpointing, delays
from agent.caller.onset import Pcm
from agent.errors import UserError
from agent.settings import Settings, load

_THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)
_FRAMEWORK = Endpointing(0.3, 2.5)

_Delays = Callable[[str], Endpointing]


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
    recorded = source or corpus.default_folder()
    breaths = pause_set.recordings(recorded, spoken) if recorded else []
    try:
        breaths, heard = asyncio.run(_spoken_and_heard(settings, spoken, engine, breaths))
    except APIError as error:
        raise UserError(f"The engine failed: {error.message}") from None
    if not breaths:
        raise UserError(f"There is nothing to pause in {spoken}; name recordings with --corpus.")
    clips = pause_set.write(breaths, folder, spoken)
    verdicts = judge(breaths, heard)
    console = Console()
    console.print(f"{clips} clips of {len(breaths)} sentences in {folder}", highlight=False)
    console.print(_table(verdicts, spoken))


async def _spoken_and_heard(
    settings: Settings, language: str, engine: str | None, recorded: list[Breath]
) -> tuple[list[Breath], list[tuple[str, str]]]:
    """Return the recordings and what the engine speaks, and what it hears of them."""
    async with run_engine(settings, engine) as running:
        breaths = await pause_set.hesitations(running.address, language) + recorded
        ear = local.STT(engine=running.address, languages=[language])
        try:
            return breaths, [
                (await _words(ear, each.before), await _words(ear, each.sound(0.0)))
                for each in breaths
            ]
        finally:
            await ear.aclose()


async def _words(ear: local.STT, speech: Pcm) -> str:
    event = await ear.recognize(frame_of(speech, corpus.RATE))
    return event.alternatives[0].text if event.alternatives else ""


async def _threshold(detector: inference.TurnDetector, language: str) -> float:
    return await detector.unlikely_threshold(LanguageCode(language)) or 0.0


def _table(verdicts: list[Verdict], language: str) -> Table:
    table = Table(
        "threshold",
        "words",
        "min, s",
        "max, s",
        "pauses that end the turn, %",
        "wait at the end, mean, s",
        "p95, s",
        box=box.SIMPLE_HEAD,
    )
    for choice, words, limit in _candidates(language):
        found = outcome(verdicts, choice, limit)
        table.add_row(
            f"{limit:.2f}",
            "yes" if words else "no",
            f"{choice('').min_delay:.1f}",
            f"{choice('').max_delay:.1f}",
            f"{100 * found.cut_off:.0f}",
            f"{found.wait_mean:.2f}",
            f"{found.wait_p95:.2f}",
        )
    return table


def _candidates(language: str) -> Iterator[tuple[_Delays, bool, float]]:
    """Yield the shipped choice, with other thresholds, without the words, and the framework's."""
    threshold = asyncio.run(_threshold(Detector(), language))
    shipped = partial(delays, language, punctuated=True)
    for limit in (threshold, *_THRESHOLDS):
        yield shipped, True, limit
    yield lambda _: delays(language), False, threshold
    framework = inference.TurnDetector(version="v1-mini")
    yield lambda _: _FRAMEWORK, False, asyncio.run(_threshold(framework, language))
