"""The server fails: the error is one that the framework understands, and the ear recovers."""

from livekit.agents import APITimeoutError

from tests.conformance.kit import demand, rule
from tests.conformance.kit.deadlines import LATE, TIMEOUT
from tests.conformance.kit.stt_bench import STTBench, api_error, push, silence, utter
from tests.conformance.kit.tones import sentence


@rule("stt", why="The utterance that met a hiccup of the server is lost.")
async def failure_is_retried(bench: STTBench) -> None:
    """An utterance at which the server failed is heard when it is tried again, once."""
    said = sentence(6)
    await bench.server_will(ear_failures=-1)
    async with bench.hearing(retries=20) as hearing:
        utter(hearing.stream, said)
        await bench.error()
        await bench.server_will()
        await hearing.finals(1)
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(hearing.texts() == [said], f"{said!r} was heard as {hearing.texts()}")


@rule("stt", why="The agent stays on the line, deaf: nothing the caller says arrives any more.")
async def heard_after_failure(bench: STTBench) -> None:
    """After a failure that was recovered from, later utterances are heard on the same stream."""
    said = [sentence(4, start=4 * at) for at in range(3)]
    async with bench.hearing(retries=20) as hearing:
        utter(hearing.stream, said[0])
        await hearing.finals(1)
        await bench.server_will(ear_failures=-1)
        utter(hearing.stream, said[1])
        await bench.error()
        await bench.server_will()
        utter(hearing.stream, said[2])
        await hearing.finals(3, 2 * LATE)
    demand(hearing.texts() == said, f"{said} was heard as {hearing.texts()}")


@rule("stt", why="A failed server is taken for a caller who said nothing; nobody notices.")
async def failure_comes_out(bench: STTBench) -> None:
    """A failure of the server that is not retried comes out as an `APIError`."""
    await bench.server_will(ear_failures=-1)
    async with bench.hearing() as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.over()
    demand(not api_error(hearing), api_error(hearing))
    demand(len(bench.errors) == 1, f"{len(bench.errors)} error events were emitted")


@rule(
    "stt", why="The session opens another stream after an error: if that is deaf, so is the agent."
)
async def next_stream_hears(bench: STTBench) -> None:
    """After a stream has failed for good, the next one hears."""
    said = sentence(6)
    await bench.server_will(ear_failures=-1)
    async with bench.hearing() as failing:
        utter(failing.stream, said)
        await failing.over()
    await bench.server.reset()
    hearing = await bench.hear(said)
    demand(hearing.texts() == [said], f"{said!r} was heard as {hearing.texts()}")


@rule("stt", why="Any other exception ends the ear for good while the call goes on.")
async def lost_connection_is_api_error(bench: STTBench) -> None:
    """A connection that is lost or cannot be made comes out as an `APIError`."""
    for lose in (bench.proxy.reset, bench.proxy.end):
        await bench.server_will(ear_stalls=True)
        async with bench.hearing() as hearing:
            utter(hearing.stream, sentence(5))
            await bench.decoding()
            lose()
            await hearing.over()
        demand(not api_error(hearing), api_error(hearing))
        await bench.server.reset()
    await bench.proxy.refuse()
    async with bench.hearing() as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.over()
    demand(not api_error(hearing), api_error(hearing))


@rule("stt", why="Any other exception ends the ear for good while the call goes on.")
async def nonsense_is_api_error(bench: STTBench) -> None:
    """An answer without the fields that it should have comes out as an `APIError`."""
    await bench.server_will(nonsense=True)
    async with bench.hearing() as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.over(2 * LATE)
    demand(not api_error(hearing), api_error(hearing))


@rule("stt", why="The caller waits in silence for an answer that will not come.")
async def stalled_ear_times_out(bench: STTBench) -> None:
    """A final transcript that does not come is an `APITimeoutError`, in time."""
    await bench.server_will(ear_stalls=True)
    async with bench.hearing(timeout=TIMEOUT) as hearing:
        utter(hearing.stream, sentence(5))
        await bench.decoding()
        await hearing.over(LATE)
    demand(isinstance(hearing.error, APITimeoutError), f"{hearing.error!r} came out")


@rule("stt", why="The caller waits in silence for an answer that will not come.")
async def stalled_connection_times_out(bench: STTBench) -> None:
    """A server that accepts the connection and says nothing is an `APITimeoutError`, in time."""
    bench.proxy.swallow()
    async with bench.hearing(timeout=TIMEOUT) as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.over(LATE)
    demand(isinstance(hearing.error, APITimeoutError), f"{hearing.error!r} came out")


@rule("stt", why="A caller who listens or thinks for a while is cut off by reconnects.")
async def silence_is_no_stall(bench: STTBench) -> None:
    """A caller who says nothing, or speaks at length, is not taken for a stalled server."""
    said = sentence(6)
    async with bench.hearing(timeout=TIMEOUT) as hearing:
        utter(hearing.stream, said)
        await hearing.finals(1)
        await hearing.never_over(2 * TIMEOUT)
        push(hearing.stream, silence(0.5))
        utter(hearing.stream, sentence(6, start=6), pause=0.0, flush=False)
        await hearing.never_over(2 * TIMEOUT)
        utter(hearing.stream, sentence(6, start=12))
        await hearing.finals(2)
    demand(not bench.errors, f"error events were emitted: {bench.errors}")
    demand(hearing.texts() == [said, sentence(12, start=6)], f"{hearing.texts()} was heard")
