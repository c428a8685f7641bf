"""Many streams: at once, and one after another."""

import asyncio
import gc
import sys

import psutil

from tests.conformance.kit import demand, rule
from tests.conformance.kit.bench import nothing_left
from tests.conformance.kit.tones import statement, words_of
from tests.conformance.kit.tts_bench import TTSBench

_AT_ONCE = 50
_IN_SEQUENCE, _SHORT_SEQUENCE = 1000, 40
_BLOCKS_PER_STREAM = 30
"""How many more memory blocks may be in use per stream: counters and caches do grow a little."""
_BYTES_PER_STREAM = 16 * 1024


@rule("tts", why="Calls that share a plugin or a server must not hear each other's replies.")
async def many_at_once(bench: TTSBench) -> None:
    """Fifty streams at once each get their own words, all of them."""
    await bench.server_will(pace=0.02)
    texts = [statement(4, start=at) for at in range(_AT_ONCE)]
    speeches = await asyncio.gather(*(bench.speak(text) for text in texts))
    for text, speech in zip(texts, speeches, strict=True):
        demand(speech.error is None, f"{speech.error!r} came out")
        heard = f"{text!r} was heard as {speech.words} in {speech.seconds:.2f} s"
        demand(speech.words == words_of(text), heard)


@rule(
    "tts",
    why="A worker runs for weeks, and what each reply leaves adds up until it is killed.",
    soak=True,
)
async def many_in_sequence(bench: TTSBench) -> None:
    """A thousand streams, one after another, leave memory and file descriptors as they were."""
    count = _IN_SEQUENCE if bench.soak else _SHORT_SEQUENCE
    await _speak_many(bench, count // 4)
    blocks, size = _memory()
    async with nothing_left():
        await _speak_many(bench, count)
    more_blocks, more_size = (
        now - before for now, before in zip(_memory(), (blocks, size), strict=True)
    )
    demand(
        more_blocks < count * _BLOCKS_PER_STREAM,
        f"{count} streams left {more_blocks} blocks of memory in use",
    )
    if bench.soak:
        demand(
            more_size < count * _BYTES_PER_STREAM,
            f"{count} streams left {more_size // 1024} KiB of memory in use",
        )


async def _speak_many(bench: TTSBench, count: int) -> None:
    text = statement(3)
    for _ in range(count):
        speech = await bench.speak(text)
        demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")
        # What the bench itself keeps is none of the plugin's doing.
        bench.attempts.clear()
        bench.metrics.clear()


def _memory() -> tuple[int, int]:
    gc.collect()
    return sys.getallocatedblocks(), psutil.Process().memory_info().rss
