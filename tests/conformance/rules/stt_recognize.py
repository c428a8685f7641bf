"""`recognize()`: a recording as a whole."""

import asyncio
from typing import Any

from livekit.agents import APIError, APITimeoutError, stt
from livekit.agents.utils import AudioBuffer

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.bench import nothing_left, options
from tests.conformance.kit.deadlines import LATE, PATIENCE, TIMEOUT
from tests.conformance.kit.stt_bench import FINAL, STTBench, frames, silence
from tests.conformance.kit.tones import sentence, speak


@rule("stt", why="A voice message is understood otherwise than the same words in a call.")
async def recognize_agrees(bench: STTBench) -> None:
    """A recording gives the words that a stream gives, as one frame or many, at any rate."""
    said = sentence(7)
    streamed = (await bench.hear(said)).texts()
    for rate, channels, frame_ms in ((16_000, 1, 50), (48_000, 1, 1000), (8_000, 2, 20)):
        buffer = frames(speak(said, rate), rate=rate, channels=channels, frame_ms=frame_ms)
        event = await _recognized(bench, buffer if len(buffer) > 1 else buffer[0])
        demand(event.type is FINAL, f"an event of the type {event.type.value} came")
        demand(
            _texts(event) == streamed,
            f"{streamed} in a stream was {_texts(event)} at {rate} Hz and {channels} channels",
        )


@rule("stt", why="An empty voice message is answered, or ends in an error.")
async def recognize_silence(bench: STTBench) -> None:
    """A recording of silence gives no words and no error."""
    event = await _recognized(bench, frames(silence(2)))
    demand(not _texts(event), f"silence was heard as {_texts(event)}")
    demand(not bench.errors, f"error events were emitted: {bench.errors}")


@rule("stt", why="The voice and the turn detector follow the language: French is read as English.")
async def recognize_language(bench: STTBench) -> None:
    """A recording's transcript names its language."""
    only_if(bench.plugin.capabilities.offline_recognize, "recognize()")
    buffer = frames(speak(sentence(5), 16_000))
    async with asyncio.timeout(PATIENCE):
        event = await bench.plugin.recognize(buffer, language="fr", conn_options=options())
    found = [data.language.language for data in event.alternatives]
    demand(found == ["fr"], f"French was reported as {found}")


@rule("stt", why="Retries that multiply keep a busy server busy; none give up too early.")
async def recognize_keeps_budget(bench: STTBench) -> None:
    """A recording is tried once more for each retry that is left, and no more."""
    await bench.server_will(refuse_status=503, refusals=2)
    event = await _recognized(bench, frames(speak(sentence(5), 16_000)), retries=3)
    demand(_texts(event) == [sentence(5)], f"{sentence(5)!r} was heard as {_texts(event)}")
    await bench.server_will(refuse_status=503, refusals=-1)
    before = (await bench.server.journal()).requests
    failure = await _failure(bench, retries=2)
    demand(isinstance(failure, APIError), f"{failure!r} came out")
    requests = (await bench.server.journal()).requests - before
    demand(requests == 3, f"the server was asked {requests} times")


@rule("stt", why="Whoever sent the recording waits for ever.")
async def recognize_times_out(bench: STTBench) -> None:
    """A recording that the server does not answer is an `APITimeoutError`, in time."""
    await bench.server_will(ear_stalls=True)
    failure = await _failure(bench, timeout=TIMEOUT, within=TIMEOUT + LATE)
    demand(isinstance(failure, APITimeoutError), f"{failure!r} came out")


@rule("stt", why="The server works on for nobody.")
async def recognize_can_be_cancelled(bench: STTBench) -> None:
    """Cancelling a recognition ends it, and closes its connection."""
    only_if(bench.plugin.capabilities.offline_recognize, "recognize()")
    buffer = frames(speak(sentence(5), 16_000))
    # The first request starts what may stay, such as a thread of the loop's own pool.
    await bench.plugin.recognize(buffer, conn_options=options())
    before = (await bench.server.journal()).decodes
    await bench.server_will(ear_stalls=True)
    async with nothing_left():
        task = asyncio.create_task(bench.plugin.recognize(buffer, conn_options=options()))
        await bench.decoding(before)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=LATE)
        demand(bool(done) and task.cancelled(), "the recognition went on")


async def _recognized(bench: STTBench, buffer: AudioBuffer, retries: int = 0) -> stt.SpeechEvent:
    only_if(bench.plugin.capabilities.offline_recognize, "recognize()")
    async with asyncio.timeout(PATIENCE):
        return await bench.plugin.recognize(buffer, conn_options=options(retries=retries))


async def _failure(
    bench: STTBench, *, within: float = PATIENCE, **connecting: Any
) -> BaseException | None:
    only_if(bench.plugin.capabilities.offline_recognize, "recognize()")
    buffer = frames(speak(sentence(5), 16_000))
    recognition = bench.plugin.recognize(buffer, conn_options=options(**connecting))
    try:
        await asyncio.wait_for(recognition, within)
    except Exception as error:  # noqa: BLE001 - what it is, is for the rule to judge
        return error
    return None


def _texts(event: stt.SpeechEvent) -> list[str]:
    return [data.text for data in event.alternatives if data.text]
