"""Refusals: which are tried again, how often, and what comes out."""

from livekit.agents import APIError

from tests.conformance.kit import demand, rule
from tests.conformance.kit.deadlines import LATE, PATIENCE
from tests.conformance.kit.stt_bench import STTBench, api_error, utter
from tests.conformance.kit.tones import sentence


@rule("stt", why="A server that is busy for a second ends the call.")
async def busy_server_is_retried(bench: STTBench) -> None:
    """A server that answers 5xx is asked again, and what was said meanwhile is heard."""
    said = sentence(6)
    await bench.server_will(refuse_status=503, refusals=2)
    async with bench.hearing(retries=3) as hearing:
        utter(hearing.stream, said)
        await hearing.finals(1)
    demand(hearing.texts() == [said], f"{said!r} was heard as {hearing.texts()}")
    states = [event.recoverable for event in bench.errors]
    demand(states == [True, True], f"the error events were recoverable: {states}")


@rule("stt", why="A wrong key or a wrong model is tried again and again, and the caller waits.")
async def refusal_is_final(bench: STTBench) -> None:
    """A server that answers 4xx is not asked again; an `APIError` that says so comes out."""
    await bench.server_will(refuse_status=403, refusals=-1)
    async with bench.hearing(retries=3) as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.over()
    demand(not api_error(hearing), api_error(hearing))
    demand(not getattr(hearing.error, "retryable", True), f"{hearing.error!r} may be retried")
    requests = (await bench.server.journal()).requests
    demand(requests == 1, f"the server was asked {requests} times")


@rule("stt", why="The session closes too early, or goes on with an ear that has given up.")
async def budget_is_kept(bench: STTBench) -> None:
    """With ``max_retry=3`` there are four attempts with an error event each; then it comes out."""
    await bench.server_will(refuse_status=503, refusals=-1)
    async with bench.hearing(retries=3) as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.over(PATIENCE)
    demand(not api_error(hearing), api_error(hearing))
    requests = (await bench.server.journal()).requests
    demand(requests == 4, f"the server was asked {requests} times")
    states = [event.recoverable for event in bench.errors]
    demand(states == [True] * 3 + [False], f"the error events were recoverable: {states}")


@rule("stt", why="The session tells a deaf ear from a bad moment by the kind of the error.")
async def error_events_hold_api_errors(bench: STTBench) -> None:
    """Every error event holds an `APIError`, and no other exception."""
    await bench.server_will(refuse_status=503, refusals=1)
    async with bench.hearing(retries=3) as hearing:
        utter(hearing.stream, sentence(5))
        await hearing.finals(1)
        await bench.server_will(nonsense=True)
        utter(hearing.stream, sentence(5))
        await hearing.over(2 * LATE)
    foreign = [event.error for event in bench.errors if not isinstance(event.error, APIError)]
    demand(not foreign and len(bench.errors) >= 4, f"the error events hold {bench.errors}")
