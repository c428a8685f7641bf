"""The command ``eloquence bench voice``."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from livekit.agents import APIError
from rich.console import Console

from agent.bench.voice import page as voice_page
from agent.bench.voice.check import check
from agent.bench.voice.report import render
from agent.bench.voice.run import Plan, run
from agent.bench.voice.stack import Log
from agent.errors import UserError
from agent.settings import load


def voice(
    calls: Annotated[int, typer.Option(min=1, help="Callers at the same time.")] = 1,
    turns: Annotated[int, typer.Option(min=1, help="Turns of each caller.")] = 12,
    language: Annotated[
        str | None, typer.Option(help="What the callers speak; default: the first of LANGUAGES.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--corpus",
            help="Folder with clips.tsv that the callers play; default: questions that the "
            "engine speaks itself.",
        ),
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="Call a bare LiveKit agent in turn, and compare.")
    ] = False,
    llm: Annotated[
        Literal["default", "replay"],
        typer.Option(help="`replay`: recorded answers at the pace of a GPU elsewhere."),
    ] = "default",
    find_capacity: Annotated[
        bool,
        typer.Option("--find-capacity", help="Raise the number of calls until p95 is too high."),
    ] = False,
    running: Annotated[
        bool, typer.Option("--running", help="Measure the Eloquence that runs here already.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--report", help="Write a page to look at to this file.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--check", help="Fail if the ratio is worse than in this JSON report."),
    ] = None,
    log_file: Annotated[
        Path | None, typer.Option("--log", help="Write what all processes print to this file.")
    ] = None,
) -> None:
    """Measure whole calls at the caller's ear: real server, real models, scripted callers."""
    # The SDK's own lines; what goes wrong becomes a sentence of ours anyway.
    logging.getLogger("livekit").setLevel(logging.CRITICAL)
    if running and (baseline or llm == "replay"):
        raise UserError("--running takes what runs; leave --baseline and --llm replay out.")
    settings = load()
    with _log(log_file) as log:
        plan = Plan(
            settings=settings,
            calls=calls,
            turns=turns,
            language=language or settings.language,
            folder=folder,
            baseline=baseline,
            running=running,
            replay=llm == "replay",
            find_capacity=find_capacity,
            json_file=json_file,
            log=log,
        )
        try:
            outcome = asyncio.run(run(plan, lambda line: typer.echo(line, err=True)))
        except APIError as error:
            raise UserError(f"The engine failed while it was measured: {error.message}") from None
    if page:
        voice_page.write(outcome, page)
    console = Console()
    for part in render(outcome):
        console.print(part, highlight=False, soft_wrap=True)
    if reference:
        console.print(check(outcome, reference), highlight=False, soft_wrap=True)


@contextmanager
def _log(path: Path | None) -> Iterator[Log]:
    if path is None:
        yield lambda *_: None
        return
    try:
        file = path.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise UserError(f"Cannot write --log {path}: {error.strerror}.") from None
    with file:
        yield lambda name, line: print(f"{name}| {line}", file=file)
