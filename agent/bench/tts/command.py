"""The command ``eloquence bench tts``."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from livekit.agents import APIError
from rich.console import Console

from agent.bench.targets import require_met
from agent.bench.tts.report import render
from agent.bench.tts.run import VOICES, Plan, run
from agent.bench.tts.speech import TOKENS_PER_SECOND
from agent.errors import UserError
from agent.settings import load

_DEFAULT = ",".join(f"{language}={voice}" for language, voice in VOICES)


def tts(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file.")
    ] = None,
    voices: Annotated[str, typer.Option(help="What to measure, as in TTS_VOICES.")] = _DEFAULT,
    rounds: Annotated[
        int, typer.Option(min=0, help="Sentences per voice whose speed is measured; 0: none.")
    ] = 10,
    pace: Annotated[
        float, typer.Option(min=1.0, help="Tokens per second in which replies are written.")
    ] = TOKENS_PER_SECOND,
    sentences: Annotated[
        int | None,
        typer.Option(min=0, help="Let Whisper write down so many sentences at most; 0: none."),
    ] = None,
    listener: Annotated[
        str | None,
        typer.Option(
            help="Whisper model or directory that judges and times; default: the best one that is "
            "here judges, whisper-base times."
        ),
    ] = None,
    calls: Annotated[int, typer.Option(min=1, help="Let so many calls speak at once, too.")] = 1,
    utterances: Annotated[
        int, typer.Option(min=0, help="Speak so many sentences and watch the memory, too.")
    ] = 0,
    engine: Annotated[
        str | None, typer.Option(help="Address of a running engine; default: start one.")
    ] = None,
) -> None:
    """Measure the voices, beside a plain engine that is given whole replies.

    Exits with status 1 if a target was missed.
    """
    plan = Plan(
        settings=load(),
        json_file=json_file,
        voices=_voices(voices),
        rounds=rounds,
        pace=pace,
        sentences=sentences,
        listener=listener,
        calls=calls,
        utterances=utterances,
        engine=engine,
    )
    try:
        report = asyncio.run(run(plan, lambda line: typer.echo(line, err=True)))
    except APIError as error:
        raise UserError(f"The engine failed while it was measured: {error.message}") from None
    console = Console()
    for part in render(report):
        console.print(part, highlight=False, soft_wrap=True)
    require_met(report.targets)


def _voices(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [entry.strip().partition("=") for entry in text.split(",") if entry.strip()]
    if not pairs or not all(language and "/" in voice for language, _, voice in pairs):
        raise UserError(
            f"--voices is {text!r}, but must be like en=hibari/heart,fr=kokoro/ff_siwis."
        )
    return tuple((language, voice) for language, _, voice in pairs)
