"""Closing: at once, at any moment, and with nothing left behind."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.bench import nothing_left
from tests.conformance.kit.deadlines import CLOSE, LATE
from tests.conformance.kit.stt_bench import Hearing, STTBench, listener, utter
from tests.conformance.kit.tones import sentence

WHY = "Hanging up, a hand-over and the end of a session wait for it."
TRIES = 3
"""A busy machine may spoil one of them."""


@rule("stt", why=WHY)
async def close_while_connecting(bench: STTBench) -> None:
    """A stream that waits for its connection closes at once."""
    bench.proxy.swallow()

    async def connecting(hearing: Hearing) -> None:
        before = bench.proxy.connections
        utter(hearing.stream, sentence(5))
        await bench.connected(before)

    await _closes_at_once(bench, connecting)


@rule("stt", why=WHY)
async def close_amid_utterance(bench: STTBench) -> None:
    """A stream closes at once in mid-utterance, and the server's work for it ends."""

    async def speaking(hearing: Hearing) -> None:
        before = (await bench.server.journal()).listened
        utter(hearing.stream, sentence(8), pause=0.0, flush=False)
        await bench.listened(before + 0.8)

    await _closes_at_once(bench, speaking)
    await bench.until(lambda journal: not journal.active, "ended the stream")


@rule("stt", why=WHY)
async def close_before_final(bench: STTBench) -> None:
    """A stream that waits for a final transcript closes at once, and the server's work ends."""

    async def waiting(hearing: Hearing) -> None:
        before = (await bench.server.journal()).decodes
        utter(hearing.stream, sentence(5))
        await bench.decoding(before)

    await bench.server_will(ear_seconds=3 * CLOSE)
    await _closes_at_once(bench, waiting)
    await bench.until(lambda journal: not journal.active, "ended the stream")


@rule("stt", why=WHY)
async def close_between_attempts(bench: STTBench) -> None:
    """A stream that waits to try again closes at once, and does not try again."""
    await bench.server_will(refusals=-1)

    async def retrying(hearing: Hearing) -> None:
        bench.errors.clear()
        utter(hearing.stream, sentence(5))
        await bench.error()

    await _closes_at_once(bench, retrying, retries=1000)
    requests = (await bench.server.journal()).requests
    await asyncio.sleep(CLOSE)
    more = (await bench.server.journal()).requests - requests
    demand(not more, f"the server was asked {more} times after the close")


@rule("stt", why="Sessions close what they have closed already, in more than one task.")
async def close_twice(bench: STTBench) -> None:
    """A stream and a plugin may be closed twice, also at the same time."""
    async with bench.hearing() as hearing:
        utter(hearing.stream, sentence(5), flush=False)
        await bench.listened(0.5)
        await asyncio.gather(hearing.stream.aclose(), hearing.stream.aclose())
        await hearing.stream.aclose()
        await bench.plugin.aclose()
        await bench.plugin.aclose()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(not bench.errors, f"error events were emitted: {bench.errors}")


@rule("stt", why="Every call that ends leaves a stream open on the server, until it is full.")
async def plugin_closes_streams(bench: STTBench) -> None:
    """Closing the plugin ends its streams, here and on the server."""
    only_if(bench.streaming, "streams of its own")
    async with bench.hearing() as hearing:
        utter(hearing.stream, sentence(5), flush=False)
        await bench.listened(0.5)
        await bench.plugin.aclose()
        await hearing.over(LATE)
    await bench.until(lambda journal: not journal.active, "ended the stream")


@rule("stt", why="Audio pushed into a closed stream vanishes, and the agent seems deaf.")
async def closed_stream_refuses(bench: STTBench) -> None:
    """Audio, a flush or an end of input after `aclose` raises."""
    async with bench.hearing() as hearing:
        await hearing.stream.aclose()
        attempts: tuple[Callable[[], None], ...] = (
            lambda: utter(hearing.stream, sentence(1), flush=False),
            hearing.stream.flush,
            hearing.stream.end_input,
        )
        for attempt in attempts:
            try:
                attempt()
            except RuntimeError:
                continue
            demand(False, "what was pushed into a closed stream vanished")


@rule("stt", why="What a plugin opens after its end, nobody closes.")
async def closed_plugin_refuses(bench: STTBench) -> None:
    """A plugin that was closed does not hear any more: whoever asks gets an exception."""
    await bench.hear(sentence(5))
    await bench.plugin.aclose()
    try:
        async with bench.hearing() as hearing:
            utter(hearing.stream, sentence(5))
            hearing.stream.end_input()
            await hearing.over()
    except RuntimeError:
        return
    demand(hearing.error is not None, f"a closed plugin heard {hearing.texts()}")


@rule("stt", why="A worker takes calls for weeks: what each leaves behind adds up.")
async def nothing_stays(bench: STTBench) -> None:
    """Streams that ended, were closed or failed leave no task, thread or connection behind."""
    await _three_fates(bench)
    async with nothing_left():
        for _ in range(2):
            await _three_fates(bench)


async def _three_fates(bench: STTBench) -> None:
    plugin = bench.make()
    ear = listener(plugin)
    ended, closed = bench.open(ear=ear), bench.open(ear=ear)
    for hearing in (ended, closed):
        utter(hearing.stream, sentence(4))
        await hearing.finals(1)
    ended.stream.end_input()
    await ended.over()
    utter(closed.stream, sentence(4), flush=False)
    await bench.server_will(refusals=-1)
    failed = bench.open(ear=ear)
    utter(failed.stream, sentence(4))
    await failed.over()
    await bench.server_will()
    for hearing in (ended, closed, failed):
        await hearing.aclose()
    if ear is not plugin:
        await ear.aclose()
    await plugin.aclose()


async def _closes_at_once(
    bench: STTBench, prepare: Callable[[Hearing], Awaitable[None]], *, retries: int = 0
) -> None:
    took = []
    for _ in range(TRIES):
        async with bench.hearing(retries=retries) as hearing:
            await prepare(hearing)
            demand(not hearing.ended, f"the stream ended by itself: {hearing.error!r}")
            began = time.perf_counter()
            await hearing.aclose()
            took.append(time.perf_counter() - began)
    demand(min(took) < CLOSE, f"closing took {min(took):.2f} s at best")
