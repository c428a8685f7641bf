"""The command ``eloquence bench kyutai``."""

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from livekit.agents import APIConnectOptions, APIError, tts
from livekit.plugins import kyutai
from rich.console import Console
from rich.table import Table

from agent.bench.kyutai_recipe import Timing, speak_by_recipe
from agent.errors import UserError
from agent.settings import Settings, load

_TOKEN_SECONDS = 0.03
"""Between two words of a language model."""

_SENTENCES = (
    "The library opens at nine in the morning and closes at a quarter to eight on weekdays.",
    "Your table for four is booked, and the kitchen knows that one of you eats no nuts.",
    "About a third of the visitors came by train, and most of the others came on foot.",
)

Timings = dict[str, list[Timing]]


def bench_kyutai(
    rounds: Annotated[int, typer.Option(min=1, help="Sentences that each client has spoken.")] = 9,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file.")
    ] = None,
) -> None:
    """Measure Kyutai's voice at KYUTAI_URL, beside a client as it is widely copied."""
    settings = load()
    if not settings.kyutai_url:
        raise UserError("KYUTAI_URL is not set; set it to the address of a moshi-server.")
    try:
        timings = asyncio.run(measure(settings, rounds))
    except APIError as error:
        raise UserError(f"The server failed while it was measured: {error.message}.") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UserError(
            f"KYUTAI_URL={settings.kyutai_url} failed while it was measured ({error}); "
            "is it a moshi-server with a free slot?"
        ) from None
    if json_file:
        report = {name: [asdict(timing) for timing in found] for name, found in timings.items()}
        json_file.write_text(json.dumps(report, indent=1))
    Console().print(_table(timings))


async def measure(settings: Settings, rounds: int) -> Timings:
    """Have sentences spoken by the plugin and by the recipe, in turn.

    Args:
        settings: Where, and by which voice.
        rounds: How many sentences each.
    """
    url, key = str(settings.kyutai_url), settings.kyutai_api_key.get_secret_value()
    timings: Timings = {"plugin": [], "recipe": []}
    plugin = kyutai.TTS(base_url=url, api_key=key, voice=settings.kyutai_voice)
    http = url.replace("ws://", "http://", 1).replace("wss://", "https://", 1).rstrip("/")
    try:
        for at in range(rounds):
            text = _SENTENCES[at % len(_SENTENCES)]
            timings["plugin"].append(await _speak(plugin, text))
            recipe = speak_by_recipe(http, key, settings.kyutai_voice, text)
            timings["recipe"].append(await recipe)
    finally:
        await plugin.aclose()
    return timings


async def _speak(plugin: kyutai.TTS, text: str) -> Timing:
    """Have a text spoken that comes at a language model's pace."""
    began = time.perf_counter()
    first: float | None = None
    audio = 0.0
    async with plugin.stream(conn_options=APIConnectOptions(max_retry=0)) as stream:
        writing = asyncio.create_task(_write(stream, text))
        async for event in stream:
            first = first or time.perf_counter() - began
            audio += event.frame.duration
        await writing
    total = time.perf_counter() - began
    return Timing(first if first is not None else total, total, audio)


async def _write(stream: tts.SynthesizeStream, text: str) -> None:
    for word in text.split():
        stream.push_text(f"{word} ")
        await asyncio.sleep(_TOKEN_SECONDS)
    stream.end_input()


def _table(timings: Timings) -> Table:
    def median(name: str, value: Callable[[Timing], float]) -> float:
        return statistics.median(value(timing) for timing in timings[name])

    table = Table("", "plugin", "recipe", "recipe / plugin")
    for title, value in (
        ("first audio", lambda timing: timing.first),
        ("all of it", lambda timing: timing.total),
        ("length of the audio", lambda timing: timing.audio),
    ):
        ours, theirs = median("plugin", value), median("recipe", value)
        table.add_row(title, f"{ours:.2f} s", f"{theirs:.2f} s", f"{theirs / ours:.1f}")
    return table
