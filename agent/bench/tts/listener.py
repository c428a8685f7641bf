"""The command ``eloquence bench listener``, and where the listener is that it makes."""

import asyncio
from importlib import resources
from pathlib import Path

import typer
from livekit.plugins.local.models import ModelStore
from livekit.plugins.local.models.manifest import parse_manifest

from agent.bench.tts.whisper_small import convert
from agent.cli.models import plain_lines
from agent.errors import UserError
from agent.model_store import model_store
from agent.settings import Settings, load

LISTENERS = ("whisper-small", "whisper-base")
"""Who judges how well a voice is understood: the first that is here."""

TIMER = "whisper-base"
"""Who says when words are said: its weights are the original ones, not read back from 8 bits."""

_SOURCE = "whisper-small-onnx"
# It has the same tokens and languages, in CTranslate2's format.
_RELATIVE = TIMER


def listener() -> None:
    """Fetch Whisper small and convert it, to judge voices by it."""
    settings = load()
    target = _converted(settings)
    if target.is_dir():
        typer.echo(f"whisper-small: already here, {target}")
        return
    asyncio.run(make_listener(settings, target))
    typer.echo(f"whisper-small: ready, {target}")


async def make_listener(settings: Settings, target: Path) -> None:
    """Fetch Whisper small, convert it and put it into the directory ``target``.

    Raises:
        ModelError: It cannot be fetched.
        UserError: The package `onnx` is missing.
    """
    store = model_store(settings)
    manifest = parse_manifest(
        (resources.files("agent.bench.tts") / "listener.toml").read_text("utf-8")
    )
    sources = ModelStore(store.root, manifest=manifest)
    relative = await store.ensure(_RELATIVE, plain_lines(typer.echo))
    source = await sources.ensure(_SOURCE, plain_lines(typer.echo))
    await asyncio.to_thread(convert, source, relative, target)


def find_listener(settings: Settings, wanted: str | None) -> tuple[str, Path]:
    """Return the name and the directory of the model that listens.

    Args:
        settings: They say where models are.
        wanted: Its name or directory; None for the best one that is here.

    Raises:
        UserError: It is not here.
    """
    if wanted and (folder := Path(wanted)).is_dir():
        return folder.name, folder
    for name in (wanted,) if wanted else LISTENERS:
        if name == LISTENERS[0] and _converted(settings).is_dir():
            return name, _converted(settings)
        store = model_store(settings)
        known = {model.id for model in store.manifest}
        if name in known and (folder_of := store.locate(name)):
            return name, folder_of
    raise UserError(
        f"There is no {wanted or ' or '.join(LISTENERS)} to judge the voices; `eloquence bench "
        "listener` makes whisper-small, or --listener names a directory."
    )


def _converted(settings: Settings) -> Path:
    return settings.cache_dir / "bench" / LISTENERS[0]
