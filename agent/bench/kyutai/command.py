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
from livekit.agents import APIConnectOptions, APIError, APIStatusError, tts
from livekit.plugins import kyutai
from rich.console import Console
from rich.table import Table

from agent.bench.kyutai.overhead import Overhead, watched
from agent.bench.kyutai.recipe import Timing, speak_by_recipe
from agent.errors import UserError
from agent.settings import Settings, load

_TOKEN_SECONDS = 0.03
"""Between two words of a language model."""

_SENTENCES = (
    "The library opens at nine in the morning and closes at a quarter to eight on weekdays.",
    "Your table for four is booked, and the kitchen knows that one of you eats no nuts.",
    "About a third of the visitors came by train, and most of the others came on foot.",
)

_WANTED = {"frames": 0.002, "words": 0.005}
"""Seconds within which 95 of 100 should be done."""

Timings = dict[str, list[Timing]]


def bench_kyutai(
    rounds: Annotated[int, typer.Option(min=1, help="Sentences that each client has spoken.")] = 9,
    streams: Annotated[
        int,
        typer.Option(
            min=1, help="Replies at once for the plugin's own delays; as many slots are needed."
        ),
    ] = 16,
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
        overhead = asyncio.run(measure_overhead(settings, streams))
    except APIError as error:
        hint = "; or ask for fewer --streams" if isinstance(error, APIStatusError) else ""
        raise UserError(
            f"The server failed while it was measured: {error.message}{hint}."
        ) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UserError(
            f"KYUTAI_URL={settings.kyutai_url} failed while it was measured ({error}); "
            "is it a moshi-server with a free slot?"
        ) from None
    if json_file:
        report = {name: [asdict(timing) for timing in found] for name, found in timings.items()}
        json_file.write_text(json.dumps({**report, "overhead": asdict(overhead)}, indent=1))
    console = Console()
    console.print(_table(timings))
    console.print(_overhead_table(overhead, streams))


async def measure(settings: Settings, rounds: int) -> Timings:
    """Have sentences spoken by the plugin and by the recipe, in turn.

    Args:
        settings: Where, and by which voice.
        rounds: How many sentences each.
    """
    url, key = str(settings.kyutai_url), settings.kyutai_api_key.get_secret_value()
    timings: Timings = {"plugin": [], "recipe": []}
    plugin = _plugin(settings)
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


async def measure_overhead(settings: Settings, streams: int) -> Overhead:
    """Have as many sentences spoken at once by the plugin, and see what it adds.

    Args:
        settings: Where, and by which voice.
        streams: How many.
    """
    plugin = _plugin(settings)
    texts = [_SENTENCES[at % len(_SENTENCES)] for at in range(streams)]
    try:
        with watched() as overhead:
            await asyncio.gather(*(_speak(plugin, text) for text in texts))
    finally:
        await plugin.aclose()
    return overhead


def _plugin(settings: Settings) -> kyutai.TTS:
    return kyutai.TTS(
        base_url=str(settings.kyutai_url),
        api_key=settings.kyutai_api_key.get_secret_value(),
        voice=settings.kyutai_voice,
    )


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


def _overhead_table(overhead: Overhead, streams: int) -> Table:
    table = Table(f"plugin's own, {streams} streams", "p50", "p95", "wanted p95", "measured")
    for title, name in (
        ("frame received to audio pushed", "frames"),
        ("word complete to text sent", "words"),
    ):
        delays = sorted(getattr(overhead, name))
        if not delays:
            raise UserError("The server sent nothing that could be measured; is it a moshi-server?")
        middle, high = (delays[int(part * (len(delays) - 1))] for part in (0.5, 0.95))
        figures = (f"{1000 * seconds:.2f} ms" for seconds in (middle, high, _WANTED[name]))
        table.add_row(title, *figures, str(len(delays)))
    return table
