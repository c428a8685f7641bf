"""When it was said: times are seconds of the stream's audio, plus the stream's offset."""

import asyncio
import time
from itertools import pairwise

from livekit.agents.utils import is_given

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.rules import Broken
from tests.conformance.kit.stt_bench import INTERIM, STTBench, push, silence, utter
from tests.conformance.kit.tones import sentence, words_of

LEAD = 0.6
"""How much of the silence around an utterance its times may take in, in seconds."""


@rule("stt", why="The session cannot tell how late a transcript is; subtitles are out of place.")
async def times_in_seconds(bench: STTBench) -> None:
    """A final transcript's times are where it was said, in seconds."""
    only_if(bench.streaming, "times of transcripts")
    async with bench.hearing() as hearing:
        push(hearing.stream, silence(3))
        utter(hearing.stream, sentence(10))
        await hearing.finals(1)
    (data,) = hearing.alternatives()
    _near("the start", data.start_time, 3.0)
    _near("the end", data.end_time, 4.0)


@rule("stt", why="A turn seems to begin before the one before it ended.")
async def times_in_order(bench: STTBench) -> None:
    """Finals end after they start, and start no earlier than the one before ended."""
    only_if(bench.streaming, "times of transcripts")
    hearing = await bench.hear(sentence(10), sentence(12, start=10), sentence(8, start=3))
    spans = [(data.start_time, data.end_time) for data in hearing.alternatives()]
    demand(all(start < end for start, end in spans), f"finals at {spans} came")
    in_order = all(second[0] >= first[1] for first, second in pairwise(spans))
    demand(in_order, f"finals at {spans} came")


@rule("stt", why="After the session opens a new stream, all times begin at zero again.")
async def times_count_the_offset(bench: STTBench) -> None:
    """`start_time_offset` is added to the times of finals and interims."""
    only_if(bench.streaming, "times of transcripts")
    async with bench.hearing() as hearing:
        hearing.stream.start_time_offset = 100.0
        push(hearing.stream, silence(2))
        utter(hearing.stream, sentence(15), flush=False)
        await bench.listened(3.9)
        hearing.stream.flush()
        await hearing.finals(1)
    for data in [*hearing.alternatives(INTERIM), *hearing.alternatives()]:
        _near("the start", data.start_time, 102.0)
        _between("the end", data.end_time, 102.0, 103.5 + LEAD)


@rule("stt", why="After a hiccup of the network all that is said seems to be said earlier.")
async def times_go_on_after_reconnect(bench: STTBench) -> None:
    """After a lost connection times count from the stream's start, not from the connection's.

    The framework tells the plugin by the clock how much later that was, so the audio is in step
    with the clock here.
    """
    only_if(bench.streaming, "times of transcripts")
    async with bench.hearing(retries=5) as hearing:
        began = time.monotonic()
        for _ in range(16):
            push(hearing.stream, silence(0.1))
            await asyncio.sleep(0.1)
        bench.proxy.reset()
        await bench.error()
        later = time.monotonic() - began
        utter(hearing.stream, sentence(6))
        await hearing.finals(1)
    (data,) = hearing.alternatives()
    _near("the start", data.start_time, later)


@rule("stt", why="Subtitles and recordings show the wrong word.")
async def word_times(bench: STTBench) -> None:
    """Words have times in seconds, in order, within their transcript's, and make up its text."""
    only_if(bool(bench.plugin.capabilities.aligned_transcript), "aligned transcripts")
    said = sentence(10)
    async with bench.hearing() as hearing:
        hearing.stream.start_time_offset = 100.0
        push(hearing.stream, silence(2))
        utter(hearing.stream, said)
        await hearing.finals(1)
    (data,) = hearing.alternatives()
    words = data.words or []
    demand(words_of(" ".join(words)) == words_of(said), f"{said!r} has the words {words}")
    times = [_time(word, at) for word in data.words or [] for at in ("start_time", "end_time")]
    demand(times == sorted(times), f"the words' times are {times}")
    _near("the first word", times[0], 102.0)
    _near("the last word's end", times[-1], 103.0)


def _time(word: str, name: str) -> float:
    value = getattr(word, name, None)
    if value is None or not is_given(value):
        raise Broken(f"the word {word!r} has no {name}")
    return float(value)


def _near(what: str, seconds: float, expected: float) -> None:
    _between(what, seconds, expected - LEAD, expected + LEAD)


def _between(what: str, seconds: float, low: float, high: float) -> None:
    demand(low <= seconds <= high, f"{what} is at {seconds:.2f}, not within {low:.2f}-{high:.2f}")
