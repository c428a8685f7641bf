"""``eloquence voices``: list the voices, hear one, add one."""

import asyncio
import io
import json
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from agent.errors import UserError
from agent.settings import Settings, load

app = typer.Typer(
    name="voices",
    help="List the voices, hear one, or add one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_CLONING = ("chatterbox", "pocket")
_RATE = 24_000
_PLAYERS = (["paplay"], ["aplay", "-q"], ["afplay"], ["ffplay", "-nodisp", "-autoexit", "-v", "0"])
_LIST_SECONDS = 5.0
_SAY_SECONDS = 120.0


@app.command("list")
def list_voices() -> None:
    """List the voices of the running engine by language, or those of the settings."""
    settings = load()
    try:
        answer = asyncio.run(_ask(settings, "GET", "models", None, _LIST_SECONDS))
    except _NotRunning:
        _show({language: {voice} for language, voice in settings.voices.items()}, settings)
        typer.echo("The speech engine is not running; these are the voices in TTS_VOICES.")
        return
    found: dict[str, set[str]] = {}
    for model in json.loads(answer)["data"]:
        for voice, languages in model.get("languages", {}).items():
            for language in languages:
                found.setdefault(language, set()).add(voice)
    _show(found, settings)


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    language: Annotated[
        str | None, typer.Option(help="Language of the text; default: the first of LANGUAGES.")
    ] = None,
    voice: Annotated[
        str | None, typer.Option(help="`engine/name`; default: the language's own.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a WAV file instead of using the speakers.")
    ] = None,
) -> None:
    """Speak a sentence with the running engine."""
    settings = load()
    language = language or settings.language
    voice = voice or settings.voices.get(language, f"espeak/{language}")
    request = {
        "model": "tts-1",
        "input": text,
        "voice": voice,
        "language": language,
        "speed": settings.tts_speed,
        "response_format": "pcm",
    }
    player = None if out else _player()
    try:
        pcm = asyncio.run(_ask(settings, "POST", "audio/speech", request, _SAY_SECONDS))
    except _NotRunning:
        raise UserError(
            f"The speech engine does not answer at {settings.engine_address}; start it with "
            "`eloquence up` or `eloquence engine`."
        ) from None
    audio = io.BytesIO()
    with wave.open(audio, "wb") as file:
        file.setparams((1, 2, _RATE, 0, "NONE", ""))
        file.writeframes(pcm)
    if out:
        try:
            out.write_bytes(audio.getvalue())
        except OSError as error:
            raise UserError(f"{out} cannot be written: {error.strerror}.") from error
        typer.echo(f"{out}: {len(pcm) / 2 / _RATE:.1f} s, {voice}")
    elif player:
        _play(player, audio.getvalue())


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the new voice.")],
    sample: Annotated[Path, typer.Argument(help="3 to 60 s of one person's speech, WAV.")],
    consent: Annotated[
        str, typer.Option(help="The statement by which that person agrees; it is kept.")
    ] = "",
    engine: Annotated[
        str | None, typer.Option(help="Engine that clones; default: the one in TTS_VOICES.")
    ] = None,
) -> None:
    """Add a voice that is cloned from a sample, with the speaker's consent."""
    from agent.cli.voice_samples import add_voice

    settings = load()
    engine = _cloning_engine(settings, engine)
    voice = add_voice(settings.data_dir, engine, name, sample, consent)
    typer.echo(
        f"{engine}/{name} was added ({voice.seconds:g} s); name it in TTS_VOICES and start the "
        "engine again."
    )


def _cloning_engine(settings: Settings, wanted: str | None) -> str:
    used = list(dict.fromkeys(voice.partition("/")[0] for voice in settings.voices.values()))
    able = " and ".join(_CLONING)
    if wanted:
        if wanted not in _CLONING:
            raise UserError(f"The engine {wanted} cannot clone a voice; {able} can.")
        return wanted
    found = [engine for engine in used if engine in _CLONING]
    if not found:
        raise UserError(
            f"None of the engines in TTS_VOICES ({', '.join(used)}) can clone a voice; {able} can: "
            "name one with --engine."
        )
    return found[0]


def _show(voices: dict[str, set[str]], settings: Settings) -> None:
    table = Table("Language", "Voices", box=box.SIMPLE_HEAD)
    for language in sorted(voices, key=lambda code: (code not in settings.voices, code)):
        chosen = settings.voices.get(language)
        names = sorted(voices[language], key=lambda name: (name != chosen, name))
        table.add_row(language, ", ".join(f"{n} *" if n == chosen else n for n in names))
    Console().print(table)
    typer.echo("* speaks that language unless another voice is asked for")


class _NotRunning(Exception):
    """Nobody answers at the engine's address."""


async def _ask(
    settings: Settings, method: str, path: str, request: dict[str, Any] | None, seconds: float
) -> bytes:
    address = settings.engine_address
    local = address.startswith("unix:")
    connector = aiohttp.UnixConnector(address.removeprefix("unix:")) if local else None
    base = "http://engine" if local else address.rstrip("/")
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.request(method, f"{base}/v1/{path}", json=request) as answer,
        ):
            body = await answer.read()
            if answer.status != 200:
                raise UserError(_refusal(body, answer.status))
            return body
    except (aiohttp.ClientConnectionError, FileNotFoundError):
        raise _NotRunning from None
    except TimeoutError:
        raise UserError(f"The speech engine took longer than {seconds:g} s.") from None
    except aiohttp.ClientError as error:
        raise UserError(f"The speech engine broke off ({type(error).__name__}).") from error


def _refusal(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"The speech engine answered with status {status}."


def _player() -> list[str]:
    for command in _PLAYERS:
        if path := shutil.which(command[0]):
            return [path, *command[1:]]
    raise UserError(
        "There is no program here that plays sound (paplay, aplay, afplay or ffplay); "
        "write a file with --out."
    )


def _play(player: list[str], wav: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(wav)
        file.flush()
        done = subprocess.run([*player, file.name], check=False, stderr=subprocess.DEVNULL)
    if done.returncode:
        raise UserError("The sound could not be played; write a file with --out.")
