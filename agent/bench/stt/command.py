"""The command ``eloquence bench stt``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from livekit.agents import APIError
from rich.console import Console

from agent.bench import corpus
from agent.bench.stt import tables
from agent.bench.stt.rows import SYSTEMS
from agent.bench.stt.run import Plan, run
from agent.bench.targets import require_met
from agent.errors import UserError
from agent.settings import load


def stt(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--corpus",
            help="Folder with clips.tsv; default: shared/speech beside the checkout, or else "
            "sentences that the engine speaks itself.",
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file.")
    ] = None,
    calls: Annotated[int, typer.Option(min=1, help="Let so many callers speak at once, too.")] = 1,
    languages: Annotated[
        str | None, typer.Option(help="Languages to play, such as `en,fr`; default: LANGUAGES.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="Play so many clips at most.")] = None,
    systems: Annotated[
        str, typer.Option(help="What to measure: the engine and what it is compared with.")
    ] = ",".join(SYSTEMS),
    engine: Annotated[
        str | None, typer.Option(help="Address of a running engine; default: start one.")
    ] = None,
    detect: Annotated[
        bool, typer.Option("--detect", help="Let the engine detect the language of each clip.")
    ] = False,
    nonspeech: Annotated[
        bool, typer.Option("--nonspeech/--no-nonspeech", help="Play sounds without speech.")
    ] = True,
    long: Annotated[
        bool, typer.Option("--long", help="Play ten minutes as one stream, too.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Add to the report in the file of --json.")
    ] = False,
) -> None:
    """Measure recognition beside what the framework does with plain faster-whisper.

    Every clip is played in real time, so a minute of speech takes about four. Exits with status 1
    if a target was missed.
    """
    if resume and json_file is None:
        raise UserError("--resume adds to a report; name its file with --json.")
    settings = load()
    plan = Plan(
        settings=settings,
        folder=folder or corpus.default_folder(),
        json_file=json_file,
        calls=calls,
        languages=_codes(languages) or list(settings.languages),
        limit=limit,
        systems=_systems(systems),
        engine=engine,
        detect=detect,
        nonspeech=nonspeech,
        long=long,
        resume=resume,
    )
    try:
        outcome = asyncio.run(run(plan, lambda line: typer.echo(line, err=True)))
    except APIError as error:
        raise UserError(f"The engine failed while it was measured: {error.message}") from None
    console = Console()
    for part in tables.render(outcome):
        console.print(part, highlight=False, soft_wrap=True)
    require_met(outcome.targets)


def _codes(text: str | None) -> list[str]:
    return [code.strip().lower() for code in (text or "").split(",") if code.strip()]


def _systems(text: str) -> tuple[str, ...]:
    chosen = tuple(_codes(text))
    if not chosen or not set(chosen) <= set(SYSTEMS):
        raise UserError(f"--systems is {text!r}, but must name some of {', '.join(SYSTEMS)}.")
    return chosen
