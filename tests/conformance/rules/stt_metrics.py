"""What is counted: audio used, and by which model."""

import asyncio
from contextlib import suppress

from livekit.agents.metrics import STTMetrics

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.bench import options
from tests.conformance.kit.deadlines import LATE
from tests.conformance.kit.stt_bench import STTBench, frames, utter
from tests.conformance.kit.tones import sentence, speak

SPEECH, PUSHED = 6.0, 6.4
"""Seconds of speech, and of audio with the silence after it."""


@rule("stt", why="The bill is wrong, and a quiet ear cannot be told from a dead one.")
async def usage_is_reported(bench: STTBench) -> None:
    """The audio that was used is reported, all of it, in metrics events."""
    async with bench.hearing() as hearing:
        utter(hearing.stream, sentence(60))
        await hearing.finals(1)
        hearing.stream.end_input()
        await hearing.over()
        await _demand_usage(bench)


@rule("stt", why="A bad network makes calls dearer.")
async def usage_counts_once(bench: STTBench) -> None:
    """Audio that is sent again after a lost connection is not counted again."""
    async with bench.hearing(retries=5) as hearing:
        utter(hearing.stream, sentence(55), pause=0.0, flush=False)
        await bench.listened(5.5)
        bench.proxy.reset()
        utter(hearing.stream, sentence(5, start=3))
        await hearing.finals(1)
        hearing.stream.end_input()
        await hearing.over()
        await _demand_usage(bench)


@rule("stt", why="Voice messages cost twice as much as calls.")
async def recordings_count_once(bench: STTBench) -> None:
    """The audio of a recording is reported once."""
    only_if(bench.plugin.capabilities.offline_recognize, "recognize()")
    buffer = frames(speak(sentence(60), 16_000))
    await bench.plugin.recognize(buffer, conn_options=options())
    await _demand_usage(bench)


@rule("stt", why="Dashboards add up the figures of different models.")
async def model_is_named(bench: STTBench) -> None:
    """The plugin names its model and provider, and so do its metrics."""
    await bench.hear(sentence(60))
    named = {bench.plugin.model, bench.plugin.provider}
    demand(not named & {"", "unknown"}, f"the plugin calls itself {named}")
    for metric in _metrics(bench):
        found = metric.metadata and {metric.metadata.model_name, metric.metadata.model_provider}
        demand(found == named, f"metrics of {named} are labelled {found}")


async def _demand_usage(bench: STTBench) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(LATE):
            while _used(bench) < 0.97 * SPEECH:
                await asyncio.sleep(0.005)
    used = _used(bench)
    # An adapter's detector cuts off the silence.
    demand(
        0.97 * SPEECH <= used <= 1.03 * PUSHED,
        f"{used:.1f} s were reported of {SPEECH:.1f} s of speech in {PUSHED:.1f} s of audio",
    )


def _used(bench: STTBench) -> float:
    return sum(metric.audio_duration for metric in _metrics(bench))


def _metrics(bench: STTBench) -> list[STTMetrics]:
    return [metric for metric in bench.metrics if isinstance(metric, STTMetrics)]
