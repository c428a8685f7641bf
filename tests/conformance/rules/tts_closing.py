"""An interruption: the stream closes at once, the server stops, and nothing is left."""

import time
from collections.abc import Awaitable, Callable

from tests.conformance.kit import deadlines, demand, rule
from tests.conformance.kit.bench import nothing_left
from tests.conformance.kit.tones import statement
from tests.conformance.kit.tts_bench import Stream, TTSBench

_TRIES = 3


@rule("tts", why="An interruption waits for it: the agent talks on, or answers late.")
async def close_on_connect(bench: TTSBench) -> None:
    """Closing a stream that still connects takes < 100 ms and ends the connection."""

    async def connecting() -> Stream:
        before = bench.proxy.connections
        stream = _spoken(bench)
        await bench.until(lambda _: bench.proxy.connections > before, "was connected to")
        return stream

    bench.proxy.swallow()
    await _demand_quick_close(connecting)
    await bench.until(
        lambda _: not bench.proxy.open_connections,
        f"lost its {bench.proxy.open_connections} connections",
    )


@rule("tts", why="A caller who goes on talking would hear the answer to half a question.")
async def close_before_audio(bench: TTSBench) -> None:
    """Closing a stream before its first audio takes < 100 ms and stops the server's work."""

    async def waiting() -> Stream:
        await bench.server.reset()
        await bench.server_will(stall_after_words=0)
        stream = _spoken(bench)
        await bench.until(lambda journal: bool(journal.spoken), "began to speak")
        return stream

    await _demand_quick_close(waiting)
    await bench.until(lambda journal: journal.cancelled > 0, "was told to stop")


@rule("tts", why="A barge-in waits for it, and a server that speaks on for nobody is busy.")
async def close_in_mid_audio(bench: TTSBench) -> None:
    """Closing a stream in mid-reply takes < 100 ms and stops the server's work."""

    async def speaking() -> Stream:
        await bench.server.reset()
        await bench.server_will(pace=1.0)
        stream = _spoken(bench)
        await bench.next_audio(stream)
        return stream

    await _demand_quick_close(speaking)
    await bench.until(lambda journal: journal.cancelled > 0, "was told to stop")


@rule("tts", why="A session closes what it interrupted once more when the call ends.")
async def close_twice(bench: TTSBench) -> None:
    """Closing again, or after the end, takes < 100 ms and does nothing."""

    async def closed() -> Stream:
        stream = _spoken(bench, 2)
        await bench.next_audio(stream)
        await stream.aclose()
        return stream

    async def ended() -> Stream:
        stream = _spoken(bench, 2)
        await bench.listen(stream)
        return stream

    await _demand_quick_close(closed)
    await _demand_quick_close(ended)
    demand(not bench.errors, f"error events were emitted: {bench.errors}")


@rule("tts", why="What is left of each reply adds up until the job process is killed.")
async def nothing_is_left(bench: TTSBench) -> None:
    """A closed plugin leaves no task, socket or thread, whatever became of its streams."""
    # What a process starts once, such as a resolver's threads, is started here.
    await _work(bench)
    async with nothing_left():
        await _work(bench)


@rule("tts", why="A session that moves to another voice closes the old one while it still speaks.")
async def plugin_closes_its_streams(bench: TTSBench) -> None:
    """Closing the plugin ends its open streams, and the server's work for them."""
    await bench.server_will(pace=1.0)
    stream = _spoken(bench)
    first = await bench.next_audio(stream)
    await bench.plugin.aclose()
    speech = await bench.listen(stream, after=[first], within=deadlines.LATE)
    demand(speech.seconds < 2.0, f"{speech.seconds:.2f} s of audio came after the plugin's end")
    await bench.until(lambda journal: not journal.active, "stopped")


@rule("tts", why="A plugin that comes back to life leaks a connection; one that hangs, a call.")
async def use_after_close(bench: TTSBench) -> None:
    """A plugin that was closed says so when it is used."""
    await bench.speak(statement(2))
    await bench.plugin.aclose()
    before = bench.proxy.connections
    failure: BaseException | None
    try:
        failure = (await bench.speak(statement(2), retries=2)).error
    except Exception as raised:  # noqa: BLE001 - opening a stream may refuse, too
        failure = raised
    demand(failure is not None, "it spoke")
    demand("closed" in str(failure), f"{failure!r} does not say that it was closed")
    demand(bench.proxy.connections == before, "it connected to the server again")


def _spoken(bench: TTSBench, words: int = 40) -> Stream:
    stream = bench.stream()
    stream.push_text(statement(words))
    stream.end_input()
    return stream


async def _work(bench: TTSBench) -> None:
    """Let a plugin be interrupted on connecting, speak, fail, be interrupted again, and close."""
    plugin = bench.make()
    other = TTSBench(bench.make, bench.server, bench.proxy, ear=bench.ear, plugin=plugin)
    try:
        before = bench.proxy.connections
        bench.proxy.swallow()
        connecting = _spoken(other)
        await bench.until(lambda _: bench.proxy.connections > before, "was connected to")
        await connecting.aclose()
        # The proxy's own end of what it swallowed has to go, too.
        bench.proxy.reset()
        await bench.proxy.accept()
        await bench.server_will()
        await other.speak(statement(3))
        await bench.server_will(fail_after_words=2, voice_failures=1)
        await other.speak(statement(3))
        await bench.server_will(stall_after_words=40)
        early = other.stream()
        early.push_text(statement(3))
        late = _spoken(other, 60)
        await bench.next_audio(late)
        await late.aclose()
        await early.aclose()
    finally:
        await plugin.aclose()


async def _demand_quick_close(opened: Callable[[], Awaitable[Stream]]) -> None:
    """Open and close; the best of three counts, because the machine may be busy."""
    best = float("inf")
    for _ in range(_TRIES):
        stream = await opened()
        began = time.perf_counter()
        await stream.aclose()
        best = min(best, time.perf_counter() - began)
        if best < deadlines.CLOSE:
            return
    demand(False, f"it took {1000 * best:.0f} ms")
