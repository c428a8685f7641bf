"""The command line, ``eloquence``.

Commands import what they run only when they run it, so that every process loads no more than it
needs and ``eloquence --help`` answers at once.
"""

import asyncio
import contextlib
import errno
import os
import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from agent.errors import UserError

if TYPE_CHECKING:
    from agent.settings import Settings

app = typer.Typer(
    name="eloquence",
    help="A self-hosted, real-time voice agent on LiveKit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Browser = Annotated[
    bool, typer.Option("--browser/--no-browser", help="Open the page when it is ready.")
]
_LogFormat = Annotated[
    str | None, typer.Option(help="Form of the messages, `readable` or `json`, as LOG_FORMAT.")
]
_Profile = Annotated[str | None, typer.Option(help="Set of defaults, `cpu` or `gpu`, as PROFILE.")]

# For commands whose arguments, `--help` included, another module defines.
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def main() -> None:
    """Run the command line; what a person can put right is one line, without a traceback."""
    try:
        app()
    except readable_errors() as error:
        sentence = str(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        from livekit.plugins.local.failures import explain

        sentence = explain("disk_full", place=error.filename or error.strerror).message
    else:
        return
    typer.echo(_last_words(sentence), err=True)
    sys.exit(1)


def _last_words(sentence: str) -> str:
    if os.environ.get("LOG_FORMAT") != "json":
        return f"eloquence: {sentence}"
    from agent.logs import json_line

    return json_line("eloquence", sentence, "CRITICAL")


def readable_errors() -> tuple[type[Exception], ...]:
    """Return the errors whose text is one sentence for people.

    A module that was never imported has raised nothing, and stays unloaded.
    """
    classes: list[type[Exception]] = [UserError]
    for module, name in (
        ("livekit.plugins.local.errors", "EngineError"),
        ("livekit.plugins.local.models", "ModelError"),
    ):
        if module in sys.modules:
            classes.append(getattr(sys.modules[module], name))
    return tuple(classes)


@app.command()
def up(
    browser: _Browser = True,
    log_format: _LogFormat = None,
    lan: Annotated[
        bool, typer.Option("--lan", help="Let phones on the local network in, with a code.")
    ] = False,
    profile: _Profile = None,
) -> None:
    """Start everything, and stop it all with Ctrl-C."""
    from agent.settings import load

    _choose_log_format(log_format)
    if profile is not None:
        os.environ["PROFILE"] = profile
    settings = load()
    _require_everything(settings)
    from agent.up.run import run

    run(settings, browser=browser, lan=lan)


@app.command()
def dev(
    browser: _Browser = True,
    log_format: _LogFormat = None,
) -> None:
    """Start everything, and a new worker whenever the source or .env is saved."""
    from agent.settings import load
    from agent.up.dev import reloader

    _choose_log_format(log_format)
    reload = reloader()
    settings = load()
    _require_everything(settings)
    from agent.up.run import run

    run(settings, browser=browser, reload=reload)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print it again whenever it changes, until Ctrl-C.")
    ] = False,
) -> None:
    """Say of each part of a running Eloquence whether it can serve; status 1 if one cannot."""
    from agent.settings import load
    from agent.up import status

    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(status.show(load(), typer.echo, as_json=as_json))
        return
    text, ready = asyncio.run(status.report(load(), as_json=as_json))
    typer.echo(text)
    if not ready:
        raise typer.Exit(1)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Examine everything that a call needs and estimate how many calls fit; status 1 on a fault."""
    from agent.doctor.command import run

    if status := run(json=as_json):
        raise typer.Exit(status)


@app.command()
def engine() -> None:
    """Run the speech engine: recognition and synthesis for all calls."""
    from livekit.plugins.local.packages import engine_requirements

    from agent.cli.requirements import require
    from agent.settings import load

    settings = load()
    require(engine_requirements(settings.stt_model))
    from agent.engine_process import run

    run(settings)


@app.command()
def llm() -> None:
    """Run the embedded language model's server."""
    from agent import logs
    from agent.cli import requirements
    from agent.settings import load

    requirements.require(requirements.LLM)
    from agent.llm.server import run

    settings = load()
    as_json = settings.log_format == "json"
    run(settings, lambda text: typer.echo(logs.json_line("llm", text) if as_json else text))


@app.command()
def worker() -> None:
    """Run the worker, which joins calls as the agent."""
    from agent.cli import requirements

    requirements.require(requirements.CALLS)
    from agent.settings import load
    from agent.worker.server import run

    run(load())


@app.command()
def web(
    lan: Annotated[
        bool, typer.Option("--lan", help="Serve the local network too, over HTTPS, with a code.")
    ] = False,
) -> None:
    """Serve the page and the token endpoint."""
    from agent import logs
    from agent.settings import load
    from agent.web.server import run

    settings = load()
    logs.setup(settings, "web")
    run(settings, lan=lan)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def call(context: typer.Context) -> None:
    """Call the agent with recorded speech and measure how it answers."""
    from agent.caller.cli import call as command

    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command()(command)
    _pass_on(context, single)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def models(context: typer.Context) -> None:
    """Fetch, list, verify, carry and remove the models."""
    from agent.cli.models import app as group

    _pass_on(context, group)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def voices(context: typer.Context) -> None:
    """List the voices, hear one, or add one."""
    from agent.cli.voices import app as group

    _pass_on(context, group)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def bench(context: typer.Context) -> None:
    """Measure the speech engine on recorded speech."""
    from livekit.plugins.local.packages import ENGINE

    from agent.cli import requirements

    requirements.require([*ENGINE, *requirements.CALLS, *requirements.MEASURING])
    from agent.bench.cli import app as group

    _pass_on(context, group)


@app.command("livekit-server")
def livekit_server() -> None:
    """Print the command that starts the LiveKit server, after installing one if need be."""
    from agent.livekit.binary import server_command
    from agent.settings import load

    settings = load()
    if settings.livekit_url is not None:
        typer.echo("LIVEKIT_URL names a server that runs elsewhere; none is needed here.")
        return
    argv = asyncio.run(server_command(settings, lambda line: typer.echo(line, err=True)))
    typer.echo(shlex.join(argv))


@app.command()
def settings(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print tables instead of an .env file.")
    ] = False,
) -> None:
    """Print every setting with its meaning and default, in the form of an .env file."""
    from agent.cli.settings_doc import env_example, markdown_tables

    typer.echo(markdown_tables() if markdown else env_example(), nl=False)


@app.command()
def errors() -> None:
    """Print what may go wrong with models, disk and devices, and what to do, as docs/errors.md."""
    from agent.cli.errors_doc import markdown

    typer.echo(markdown(), nl=False)


def _require_everything(settings: "Settings") -> None:
    """Say in an instant what is not installed; importing the libraries takes seconds."""
    from livekit.plugins.local.packages import engine_requirements

    from agent.cli import requirements

    llm = requirements.LLM if settings.embedded_llm else ()
    needed = [*engine_requirements(settings.stt_model), *llm, *requirements.CALLS]
    requirements.require(needed)


def _choose_log_format(chosen: str | None) -> None:
    if chosen is not None:
        os.environ["LOG_FORMAT"] = chosen


def _pass_on(context: typer.Context, target: typer.Typer) -> None:
    command: Callable[..., None] = typer.main.get_command(target)
    command(args=context.args, prog_name=context.command_path)
