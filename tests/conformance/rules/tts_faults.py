"""What a fault of the server or the network becomes: an `APIError` that says whether to retry."""

from collections.abc import Callable

from livekit.agents import APIConnectionError, APIError

from tests.conformance.kit import deadlines, demand, rule
from tests.conformance.kit.tones import statement, words_of
from tests.conformance.kit.tts_bench import TTSBench
from tests.conformance.kit.tts_speech import Speech, api_error

TEXT = statement(60)


@rule("tts", why="What the server will never do costs seconds of silence, attempt by attempt.")
async def refused_for_good(bench: TTSBench) -> None:
    """A refusal by the client's own fault (4xx) is an error at once, and is not tried again."""
    await bench.server_will(refuse_status=400, refusals=-1)
    speech = await bench.speak(TEXT, retries=2)
    _demand_failure(speech, retryable=False)
    requests = (await bench.server.journal()).requests
    demand(requests == 1, f"the server was asked {requests} times")


@rule("tts", why="A server that restarts or is busy for a moment must not cost the caller a reply.")
async def refused_for_now(bench: TTSBench) -> None:
    """A refusal that may pass (5xx, 429) is tried again, and the text is then spoken once."""
    for status in (503, 500, 429):
        await bench.server_will(refuse_status=status, refusals=1)
        speech = await bench.speak(TEXT, retries=1)
        demand(speech.error is None, f"after {status} {speech.error!r} came out")
        demand(speech.words == words_of(TEXT), f"after {status} {speech.words} was heard")


@rule("tts", why="The session counts these events to know when to give up a call.")
async def unreachable(bench: TTSBench) -> None:
    """A server that is not there is a connection error, reported for each attempt."""
    await bench.proxy.refuse()
    speech = await bench.speak(TEXT, retries=2)
    _demand_failure(speech, retryable=True)
    demand(isinstance(speech.error, APIConnectionError), f"{speech.error!r} came out")
    recoverable = [event.recoverable for event in bench.errors]
    demand(recoverable == [True, True, False], f"recoverable, by attempt: {recoverable}")


@rule("tts", why="An end that is taken for success is a reply that nobody hears.")
async def lost_before_audio(bench: TTSBench) -> None:
    """A connection that ends before the first audio, however it ends, is worth another attempt."""
    for cut in (bench.proxy.reset, bench.proxy.end, bench.proxy.half_close):
        await bench.server.reset()
        await bench.server_will(stall_after_words=0)
        stream = bench.stream()
        stream.push_text(TEXT)
        stream.end_input()
        await bench.until(lambda journal: bool(journal.spoken), "began to speak")
        cut()
        speech = await bench.listen(stream)
        _demand_failure(speech, retryable=True, cut=cut)
        demand(not speech.audio, f"{speech.seconds:.2f} s of audio came out of nothing")


@rule("tts", why="An end that is taken for success is half an answer, said as if it were whole.")
async def lost_after_audio(bench: TTSBench) -> None:
    """A connection that ends in mid-reply, however it ends, is an error, not the reply's end."""
    for cut in (bench.proxy.reset, bench.proxy.end, bench.proxy.half_close):
        await bench.server.reset()
        await bench.server_will(pace=1.0)
        stream = bench.stream(retries=2)
        stream.push_text(TEXT)
        stream.end_input()
        first = await bench.next_audio(stream)
        cut()
        await bench.server_will()
        speech = await bench.listen(stream, after=[first])
        requests = (await bench.server.journal()).requests
        demand(requests == 1, f"after {cut.__name__} it was asked {requests - 1} times more")
        _demand_failed_once(speech, cut)


@rule("tts", why="The language model may take long to finish a reply that nobody hears.")
async def lost_while_written(bench: TTSBench) -> None:
    """A connection that is lost while the reply is still being written is an error at once."""
    await bench.server_will(pace=1.0)
    stream = bench.stream()
    stream.push_text(f"{TEXT} {TEXT}")
    first = await bench.next_audio(stream)
    bench.proxy.reset()
    speech = await bench.listen(stream, after=[first], within=deadlines.LATE)
    demand(not api_error(speech), api_error(speech))


@rule("tts", why="An engine's fault after a few words must not let the caller hear them again.")
async def failure_after_audio(bench: TTSBench) -> None:
    """A failure that the server reports after the first audio ends the reply."""
    await bench.server_will(pace=0.1, fail_after_words=40, voice_failures=1)
    stream = bench.stream(retries=2)
    stream.push_text(TEXT)
    stream.end_input()
    first = await bench.next_audio(stream)
    _demand_failed_once(await bench.listen(stream, after=[first]))
    journal = await bench.server.journal()
    demand(len(journal.spoken) == 1, f"the server spoke {journal.spoken}")


@rule(
    "tts",
    why="The framework lets only these through to its retries and fallbacks; anything else is a "
    "silent agent.",
)
async def api_errors_only(bench: TTSBench) -> None:
    """Whatever a server sends, no exception but an `APIError` leaves the stream."""
    for after in (0, 1_000, 12_000):
        bench.proxy.cut, bench.proxy.cut_after = "junk", bench.proxy.passed + after
        speech = await bench.speak(TEXT)
        demand(not api_error(speech), f"junk after {after} bytes: {api_error(speech)}")


def _demand_failure(
    speech: Speech, *, retryable: bool, cut: Callable[[], None] | None = None
) -> None:
    way = f" after {cut.__name__}" if cut else ""
    demand(not api_error(speech), api_error(speech) + way)
    assert isinstance(speech.error, APIError)
    demand(
        speech.error.retryable is retryable,
        f"retryable is {speech.error.retryable} of {speech.error!r}{way}",
    )


def _demand_failed_once(speech: Speech, cut: Callable[[], None] | None = None) -> None:
    """Demand a final error after the beginning of `TEXT`, which was heard once."""
    said, heard = words_of(TEXT), speech.words
    demand(heard == said[: len(heard)], f"{TEXT!r} was heard as {heard}")
    _demand_failure(speech, retryable=False, cut=cut)
    demand(heard != said, "all of it was heard, though its end was lost")
