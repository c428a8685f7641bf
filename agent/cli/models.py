"""``eloquence models``: fetch, list, verify, carry and remove the models."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from livekit.plugins.local.models import (
    ModelStore,
    OnProgress,
    Progress,
    default_manifest,
    directory_of,
    export_models,
    import_models,
    repository_of,
)
from livekit.plugins.local.models.errors import model_error
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as ProgressBar
from rich.table import Table

from agent.errors import UserError
from agent.model_store import model_store
from agent.settings import Settings, load

# How often a fetch says how far it is where nobody sees a bar move.
LINE_SECONDS = 5.0

app = typer.Typer(
    name="models",
    help="Fetch, list, verify, carry and remove the models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False)]


def needed_models(settings: Settings) -> list[str]:
    """Return the ids of the models without which ``settings`` cannot work.

    Raises:
        UserError: A setting names a model that does not exist, or one of another kind.
    """
    needed = _recogniser(settings.stt_model)
    if settings.embedded_llm:
        needed += _language_model(settings.llm_model)
    if any(voice.startswith("kokoro/") for voice in settings.voices.values()):
        needed += ["kokoro-82m-q8", "kokoro-voices"]
    return needed


@app.command("list")
def list_models() -> None:
    """List the models that can be fetched, and those that are here."""
    store = model_store(load())
    table = Table("Model", "Kind", "Size", "Licence", "Here", box=box.SIMPLE_HEAD)
    for model in store:
        here = "yes" if store.locate(model.id) else "no"
        table.add_row(model.id, model.kind, decimal(model.size), model.license, here)
    Console().print(table)


@app.command()
def pull(names: Names = None) -> None:
    """Fetch the named models, or those that the settings need; what is here stays as it is."""
    settings = load()
    store = model_store(settings)
    wanted = names or needed_models(settings)
    missing = [name for name in wanted if store.locate(name) is None]
    for name in wanted:
        if name not in missing:
            typer.echo(f"{name}: already here")
    store.require_space(missing)
    asyncio.run(_pull(store, missing))


@app.command()
def verify(names: Names = None) -> None:
    """Read the named models, or all that are here or needed, and check every byte."""
    settings = load()
    store = model_store(settings)
    here = _here(store)
    wanted = names or list(dict.fromkeys([*needed_models(settings), *here]))
    bad: list[str] = []
    for name in wanted:
        problems = asyncio.run(store.verify(name))
        bad += [name] if problems else []
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        typer.echo(f"{name}: {'; '.join(problems[:3]) or 'intact'}{more}")
    if bad:
        raise UserError(f"Not intact: {', '.join(bad)}; `eloquence models pull` fetches it again.")


@app.command()
def path(name: str) -> None:
    """Print the directory of a model."""
    directory = model_store(load()).locate(name)
    if directory is None:
        raise model_error("absent", model=name)
    typer.echo(directory)


@app.command()
def rm(names: Annotated[list[str], typer.Argument(metavar="NAME...")]) -> None:
    """Delete the named models; what others share with them stays."""
    store = model_store(load())
    for name in names:
        freed = asyncio.run(store.remove(name))
        typer.echo(f"{name}: {decimal(freed)} freed")


@app.command("export")
def export_bundle(bundle: Path, names: Names = None) -> None:
    """Write the named models, or those that the settings need, into one file."""
    settings = load()
    wanted = names or needed_models(settings)
    asyncio.run(export_models(model_store(settings), bundle, wanted))
    typer.echo(f"{bundle}: {', '.join(wanted)} ({decimal(bundle.stat().st_size)})")


@app.command("import")
def import_bundle(bundle: Path) -> None:
    """Take over the models of a file that `export` wrote; no network is needed."""
    store = model_store(load())
    for name in asyncio.run(_import(store, bundle)):
        typer.echo(f"{name}: ready")


def _recogniser(model_id: str) -> list[str]:
    """Return what must be fetched for a recogniser: nothing, if a package brings it along."""
    if directory_of(model_id):
        return []
    if repo := repository_of(model_id):
        if repo.kind != "stt":
            raise UserError(f"STT_MODEL is {model_id!r}, which is no recogniser; see .env.example.")
        return [model_id]
    if model_id in {model.id for model in default_manifest()}:
        return [_known("STT_MODEL", model_id, "stt")]
    # Not at the head: it brings the libraries of all recognisers.
    from livekit.plugins.local.engine.stt.registry import available

    if model_id not in available():
        raise UserError(f"STT_MODEL is {model_id!r}, but must be one of {', '.join(available())}.")
    return []


def _language_model(model_id: str) -> list[str]:
    """Return what must be fetched for the embedded language model: nothing, if it is a path."""
    if directory_of(model_id):
        return []
    if repo := repository_of(model_id):
        if repo.kind != "llm":
            raise UserError(
                f"LLM_MODEL is {model_id!r}, but of a repository it must name one file, as "
                "`ORG/NAME/FILE.gguf`; or set LLM_BASE_URL to a server that has it."
            )
        return [model_id]
    return [_known("LLM_MODEL", model_id, "llm")]


def _known(setting: str, model_id: str, kind: str) -> str:
    choices = [model.id for model in default_manifest() if model.kind == kind]
    if model_id not in choices:
        raise UserError(f"{setting} is {model_id!r}, but must be one of {', '.join(choices)}.")
    return model_id


async def _pull(store: ModelStore, names: list[str]) -> None:
    for name in names:
        with _shown(name) as on_progress:
            await store.ensure(name, on_progress)
        typer.echo(f"{name}: ready")


async def _import(store: ModelStore, bundle: Path) -> list[str]:
    with _shown(bundle.name) as on_progress:
        return await import_models(store, bundle, on_progress)


def _here(store: ModelStore) -> list[str]:
    return [model.id for model in store if store.locate(model.id)]


def _shown(name: str) -> AbstractContextManager[OnProgress]:
    """Return a listener for the time of a block: a bar on a terminal, else lines."""
    console = Console()
    return _bar(console, name) if console.is_terminal else nullcontext(plain_lines(typer.echo))


@contextmanager
def _bar(console: Console, name: str) -> Iterator[OnProgress]:
    """Show a bar with bytes, rate and time left while the block runs, and remove it after."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)

        def show(progress: Progress) -> None:
            text = f"{name} ({progress.state})"
            bar.update(task, description=text, completed=progress.done, total=progress.total)

        yield show


def plain_lines(
    write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> OnProgress:
    """Return a listener that writes how far a fetch is, every `LINE_SECONDS` at most.

    Args:
        write: Takes one line.
        clock: Tells the time in seconds.
    """
    state, when, bytes_then = "", 0.0, 0

    def show(progress: Progress) -> None:
        nonlocal state, when, bytes_then
        now = clock()
        if progress.state == state and now - when < LINE_SECONDS:
            return
        rate = ""
        if progress.state == state == "downloading":
            rate = f" ({decimal(int((progress.done - bytes_then) / (now - when)))}/s)"
        state, when, bytes_then = progress.state, now, progress.done
        if progress.state != "ready":
            amount = f"{decimal(progress.done)} of {decimal(progress.total)}"
            write(f"{progress.model}: {progress.state}, {amount}{rate}")

    return show
