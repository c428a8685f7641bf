"""A server that falls silent is noticed in time; a slow one is not called silent."""

from livekit.agents import APIError, APITimeoutError

from tests.conformance.kit import deadlines, demand, rule
from tests.conformance.kit.tones import WORD_SECONDS, statement, words_of
from tests.conformance.kit.tts_bench import Stream, TTSBench
from tests.conformance.kit.tts_speech import Speech

TEXT = statement(60)


@rule("tts", why="A host that swallows packets leaves the caller in silence for minutes.")
async def stall_on_connect(bench: TTSBench) -> None:
    """A server that accepts the connection and never answers is a timeout, worth a retry."""
    bench.proxy.swallow()
    await _demand_timeout(bench, _spoken(bench), retryable=True)


@rule("tts", why="An engine that hangs leaves the caller in silence, with no apology and no retry.")
async def stall_before_audio(bench: TTSBench) -> None:
    """A server that takes the text and sends no audio is a timeout, worth a retry."""
    await bench.server_will(stall_after_words=0)
    await _demand_timeout(bench, _spoken(bench), retryable=True)


@rule("tts", why="A reply that stops in mid-sentence holds the turn: the agent seems frozen.")
async def stall_between_chunks(bench: TTSBench) -> None:
    """A server that falls silent in mid-reply is a timeout, and nothing is said again."""
    await bench.server_will(stall_after_words=40)
    speech = await _demand_timeout(bench, _spoken(bench), retryable=False)
    said = words_of(TEXT)[:40]
    demand(speech.words == said[: len(speech.words)], f"{said} was heard as {speech.words}")


@rule("tts", why="A voice on a busy machine is slow, and cutting it off does not make it faster.")
async def slow_is_no_stall(bench: TTSBench) -> None:
    """The timeout counts between two pieces of audio, not for the whole reply."""
    timeout = 2 * deadlines.TIMEOUT
    words = 6
    # All of it takes half as long again as the timeout, each word a quarter of it.
    await bench.server_will(pace=timeout / 4 / WORD_SECONDS)
    text = statement(words)
    speech = await bench.speak(text, timeout=timeout)
    demand(speech.error is None, f"{speech.error!r} came out after {speech.took:.2f} s")
    demand(speech.words == words_of(text), f"{text!r} was heard as {speech.words}")


def _spoken(bench: TTSBench) -> Stream:
    stream = bench.stream(timeout=deadlines.TIMEOUT)
    stream.push_text(TEXT)
    stream.end_input()
    return stream


async def _demand_timeout(bench: TTSBench, stream: Stream, *, retryable: bool) -> Speech:
    speech = await bench.listen(stream, within=deadlines.LATE)
    demand(isinstance(speech.error, APITimeoutError), f"{speech.error!r} came out")
    assert isinstance(speech.error, APIError)
    demand(speech.error.retryable is retryable, f"retryable is {speech.error.retryable}")
    demand(speech.took > deadlines.TIMEOUT / 2, f"it gave up after {speech.took:.2f} s already")
    return speech
