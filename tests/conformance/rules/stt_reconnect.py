"""The connection is lost: no word may be."""

from collections.abc import Callable

from tests.conformance.kit import demand, rule
from tests.conformance.kit.deadlines import LATE, TIMEOUT
from tests.conformance.kit.stt_bench import Hearing, STTBench, push, silence, utter
from tests.conformance.kit.tones import sentence, words_of

WHY = "A hiccup of the network costs the caller's sentence, and the agent waits for ever."
FIRST, SECOND = sentence(8), sentence(8, start=8)


@rule("stt", why=WHY)
async def reset_amid_utterance(bench: STTBench) -> None:
    """A connection reset in mid-utterance loses and doubles no word of it."""
    await _lost_amid_utterance(bench, bench.proxy.reset)


@rule("stt", why="A server that restarts politely must not look like the end of the conversation.")
async def end_amid_utterance(bench: STTBench) -> None:
    """A connection that the server ends in mid-utterance loses and doubles no word of it."""
    await _lost_amid_utterance(bench, bench.proxy.end)


@rule("stt", why="A server that can say no more is waited for in vain.")
async def half_close_amid_utterance(bench: STTBench) -> None:
    """A connection that the server half-closes in mid-utterance loses and doubles no word of it."""
    await _lost_amid_utterance(bench, bench.proxy.half_close)


@rule("stt", why="A dead link looks like a silent one: the caller talks to nobody.")
async def hole_amid_utterance(bench: STTBench) -> None:
    """A connection that swallows everything in mid-utterance loses and doubles no word of it."""
    async with bench.hearing(timeout=TIMEOUT, retries=5) as hearing:
        utter(hearing.stream, FIRST, pause=0.0, flush=False)
        await bench.listened(0.8)
        bench.proxy.swallow()
        utter(hearing.stream, SECOND)
        await bench.error(LATE)
        await bench.proxy.accept()
        await _whole(hearing)


@rule("stt", why=WHY)
async def reset_before_final(bench: STTBench) -> None:
    """A connection lost between the flush and the final transcript loses and doubles no word."""
    await bench.server_will(ear_stalls=True)
    async with bench.hearing(retries=5) as hearing:
        utter(hearing.stream, f"{FIRST} {SECOND}")
        await bench.decoding()
        bench.proxy.reset()
        await bench.server.reset()
        await _whole(hearing)


@rule("stt", why="Every restart of the server costs the callers what they said meanwhile.")
async def speech_while_away(bench: STTBench) -> None:
    """What is said while the server cannot be reached is heard when it is back."""
    async with bench.hearing(retries=20) as hearing:
        utter(hearing.stream, FIRST, pause=0.0, flush=False)
        await bench.listened(0.8)
        await bench.proxy.refuse()
        utter(hearing.stream, SECOND)
        await bench.error()
        await bench.proxy.accept()
        await _whole(hearing)


@rule("stt", why="The answer to the last sentence is heard twice after a reconnect.")
async def reset_after_final(bench: STTBench) -> None:
    """What was already transcribed is not transcribed again on a new connection."""
    async with bench.hearing(retries=5) as hearing:
        utter(hearing.stream, FIRST)
        await hearing.finals(1)
        bench.proxy.reset()
        utter(hearing.stream, SECOND)
        await _whole(hearing)


@rule("stt", why="A network that is merely slow changes what the caller is understood to say.")
async def slow_network(bench: STTBench) -> None:
    """Latency and answers that trickle in small pieces change no word."""
    bench.proxy.latency, bench.proxy.slice_bytes = 0.2, 7
    hearing = await bench.hear(FIRST, SECOND)
    demand(hearing.texts() == [FIRST, SECOND], f"{[FIRST, SECOND]} was heard as {hearing.texts()}")


async def _lost_amid_utterance(bench: STTBench, lose: Callable[[], None]) -> None:
    async with bench.hearing(retries=5) as hearing:
        utter(hearing.stream, FIRST, pause=0.0, flush=False)
        await bench.listened(0.8)
        lose()
        utter(hearing.stream, SECOND)
        await _whole(hearing)


async def _whole(hearing: Hearing) -> None:
    """Demand that both halves were heard, once each, and nothing else at the end."""
    push(hearing.stream, silence(0.4))
    hearing.stream.end_input()
    await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(
        hearing.words == words_of(f"{FIRST} {SECOND}"),
        f"{FIRST!r}, {SECOND!r} was heard as {hearing.texts()}",
    )
