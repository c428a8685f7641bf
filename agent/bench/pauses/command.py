"""The command ``eloquence bench pauses``."""

import asyncio
from collections.abc import Iterator
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
from agent.bench.llm import run_llm
from agent.bench.pauses import set as pause_set
from agent.bench.pauses.judge import Delays, Heard, Verdict, judge, outcome
from agent.bench.pauses.set import Breath
from agent.bench.voice.script import frame_of
from agent.call.instructions import instructions
from agent.call.phrases import greeting
from agent.call.turn_taking import Detector, Endpointing, delays
from agent.caller.onset import Pcm
from agent.errors import UserError
from agent.llm.completeness import completeness, without_end
from agent.llm.llama import LlamaServer, Messages
from agent.settings import Settings, load

_THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)
_FRAMEWORK = Endpointing(0.3, 2.5)


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
) -> tuple[list[Breath], list[Heard]]:
    """Return the recordings and what the engine speaks, and what is heard of them."""
    async with run_engine(settings, engine) as running:
        breaths = await pause_set.hesitations(running.address, language) + recorded
        ear = local.STT(engine=running.address, languages=[language])
        try:
            texts = [
                (await _words(ear, each.before), await _words(ear, each.sound(0.0)))
                for each in breaths
            ]
        finally:
            await ear.aclose()
    if not settings.embedded_llm:
        return breaths, [Heard(*each) for each in texts]
    async with run_llm(settings) as server:
        context = [
            {"role": "system", "content": instructions(settings)},
            {"role": "assistant", "content": greeting(settings, language)},
        ]
        return breaths, [
            Heard(
                begun,
                whole,
                (await _complete(server, context, begun), await _complete(server, context, whole)),
            )
            for begun, whole in texts
        ]


async def _complete(server: LlamaServer, context: Messages, text: str) -> float:
    return completeness(await server.what_follows(context, without_end(text)))


async def _words(ear: local.STT, speech: Pcm) -> str:
    event = await ear.recognize(frame_of(speech, corpus.RATE))
    return event.alternatives[0].text if event.alternatives else ""


async def _threshold(detector: inference.TurnDetector, language: str) -> float:
    return await detector.unlikely_threshold(LanguageCode(language)) or 0.0


def _table(verdicts: list[Verdict], language: str) -> Table:
    table = Table(
        "threshold",
        "words",
        "pauses that end the turn, %",
        "wait at the end, mean, s",
        "p95, s",
        box=box.SIMPLE_HEAD,
    )
    for choice, words, limit in _candidates(language):
        found = outcome(verdicts, choice, limit)
        table.add_row(
            f"{limit:.2f}",
            words,
            f"{100 * found.cut_off:.0f}",
            f"{found.wait_mean:.2f}",
            f"{found.wait_p95:.2f}",
        )
    return table


def _candidates(language: str) -> Iterator[tuple[Delays, str, float]]:
    """Yield the shipped choice, those with less knowledge, and the framework's."""
    threshold = asyncio.run(_threshold(Detector(), language))
    shipped = partial(delays, language, punctuated=True)
    yield lambda text, complete: shipped(text, completeness=complete), "judged", threshold
    for limit in (threshold, *_THRESHOLDS):
        yield lambda text, _: shipped(text), "known", limit
    yield lambda *_: delays(language), "unknown", threshold
    framework = inference.TurnDetector(version="v1-mini")
    yield lambda *_: _FRAMEWORK, "framework", asyncio.run(_threshold(framework, language))
