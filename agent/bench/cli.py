"""The commands ``eloquence bench …``."""

import typer

from agent.bench.kyutai import bench_kyutai
from agent.bench.listener import listener
from agent.bench.pauses import pauses
from agent.bench.stt import stt
from agent.bench.tts import tts
from agent.bench.voice import voice

app = typer.Typer(
    name="bench",
    help="Measure recognition, voices and whole calls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("stt")(stt)
app.command("tts")(tts)
app.command("voice")(voice)
app.command("pauses")(pauses)
app.command("listener")(listener)
app.command("kyutai")(bench_kyutai)


@app.callback()
def _group() -> None:
    """Measure recognition, voices and whole calls."""
