"""The commands ``eloquence bench …``."""

import typer

from agent.bench.stt import stt

app = typer.Typer(
    name="bench",
    help="Measure the speech engine on recorded speech.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("stt")(stt)


@app.callback()
def _group() -> None:
    """Measure the speech engine on recorded speech."""
