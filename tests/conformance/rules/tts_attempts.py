"""How an attempt begins, and what it reports: emitter, ids, metrics, options."""

import asyncio

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.tones import WORD_SECONDS, statement, words_of
from tests.conformance.kit.tts_bench import TTSBench

# So slow that the hiccup of a busy machine is not taken for it.
_SLOW = 4.0
_IDLE = 0.3
"""Seconds that a stream waits for its first text in the rule about the time to first byte."""


@rule(
    "tts",
    why="Whatever ends an attempt before that is reported as `AudioEmitter isn't started`, and its "
    "cause is lost.",
)
async def initialized_first(bench: TTSBench) -> None:
    """Each attempt initializes its emitter before it waits for anything."""
    await bench.server_will(fail_after_words=0, voice_failures=1)
    await bench.speak(statement(9), retries=1)
    await bench.speak()
    await bench.say(statement(9))
    for number, attempt in enumerate(bench.attempts):
        demand(not attempt.late, f"attempt {number} waited for something before")
        demand(attempt.calls[:1] == ["initialize"], f"attempt {number} did {attempt.calls}")


@rule("tts", why="Without an id nobody can match a caller's complaint with the server's log.")
async def request_ids(bench: TTSBench) -> None:
    """Each attempt has a request id of its own, and all its audio carries it."""
    streams = [await bench.speak(statement(9)) for _ in range(2)]
    ids = [str(attempt.arguments.get("request_id", "")) for attempt in bench.attempts]
    demand(all(ids), f"the attempts' ids were {ids}")
    demand(len(set(ids)) == len(ids), f"an id was used twice: {ids}")
    for speech in streams:
        carried = {event.request_id for event in speech.audio}
        demand(len(carried) == 1 and carried <= set(ids), f"a stream's audio carried {carried}")


@rule("tts", why="Usage and latency on every dashboard come from this event.")
async def metrics_once(bench: TTSBench) -> None:
    """A stream emits one metrics event, with its characters, its audio and a request id."""
    text = statement(9)
    speech = await bench.speak(text)
    demand(len(bench.metrics) == 1, f"{len(bench.metrics)} metrics events were emitted")
    (metrics,) = bench.metrics
    demand(metrics.characters_count == len(text), f"{metrics.characters_count} characters counted")
    demand(
        abs(metrics.audio_duration - speech.seconds) < 0.05, f"{metrics.audio_duration} s counted"
    )
    demand(bool(metrics.request_id), "the request id is empty")


@rule("tts", why="A time to first byte that leaves out the waiting hides a voice that is too slow.")
async def real_ttfb(bench: TTSBench) -> None:
    """The time to first byte counts from the first text to the first audio."""
    await bench.server_will(pace=_SLOW)
    stream = bench.stream()
    await asyncio.sleep(_IDLE)
    stream.push_text(statement(2))
    stream.end_input()
    speech = await bench.listen(stream)
    demand(speech.error is None, f"{speech.error!r} came out")
    demand(len(bench.metrics) == 1, f"{len(bench.metrics)} metrics events were emitted")
    ttfb, first = bench.metrics[0].ttfb, speech.first or 0.0
    least = _SLOW * WORD_SECONDS * 0.9
    demand(
        least <= ttfb <= first + _IDLE / 2,
        f"it says {ttfb:.3f} s; the voice took {least:.2f} s, and audio came after {first:.3f} s",
    )


@rule("tts", why="Dashboards add up the figures of different voices.")
async def model_is_named(bench: TTSBench) -> None:
    """The plugin names its model and provider, and so do its metrics."""
    await bench.speak(statement(9))
    named = {bench.plugin.model, bench.plugin.provider}
    demand(not named & {"", "unknown"}, f"the plugin calls itself {named}")
    for metrics in bench.metrics:
        data = metrics.metadata
        found = data and {data.model_name, data.model_provider}
        demand(found == named, f"metrics of {named} are labelled {found}")


@rule("tts", why="A reply that changes its voice half-way is heard as somebody else.")
async def options_for_next_stream(bench: TTSBench) -> None:
    """Options that change while a stream is open count from the next stream on."""
    only_if(bench.change is not None, "options that can change")
    assert bench.change
    text = statement(12)
    stream = bench.stream() if bench.streaming else bench.chunked(text)
    bench.change(bench.plugin)
    if bench.streaming:
        stream.push_text(text)  # type: ignore[union-attr]
        stream.end_input()  # type: ignore[union-attr]
    before, after = await bench.listen(stream), await bench.speak(text)
    demand(before.words == words_of(text) == after.words, f"{before.words}, then {after.words}")
    demand(
        1.25 * before.seconds < after.seconds,
        f"the open stream took {before.seconds:.2f} s, the next one {after.seconds:.2f} s",
    )
