"""The commands ``eloquence bench …``."""

import typer

from agent.bench.kyutai.command import bench_kyutai
from agent.bench.pauses.command import pauses
from agent.bench.stt.command import stt
from agent.bench.tts.command import tts
from agent.bench.tts.listener import listener
from agent.bench.voice.command import voice

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
