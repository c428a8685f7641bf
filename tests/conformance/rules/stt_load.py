"""Many callers, long calls, slow models."""

import asyncio
import gc
import tracemalloc

from tests.conformance.kit import demand, only_if, rule
from tests.conformance.kit.deadlines import FACTOR, PATIENCE
from tests.conformance.kit.stt_bench import Hearing, STTBench, push, utter
from tests.conformance.kit.tones import WORD_SECONDS, sentence, speak, words_of

CALLERS = 24
SLOW_EAR = 0.15
"""Seconds that a slow ear takes for each decode."""


@rule("stt", why="One caller's words are answered to another.")
async def many_callers(bench: STTBench) -> None:
    """Each of many concurrent streams hears its own words, all of them."""
    said = [f"{sentence(3, start=at)} {sentence(2, start=2 * at)}" for at in range(CALLERS)]
    hearings = await asyncio.gather(*(bench.hear(text) for text in said))
    heard = [hearing.texts() for hearing in hearings]
    wrong = [(a, b) for a, b in zip(said, heard, strict=True) if b != [a]]
    demand(not wrong, f"of {CALLERS} these were heard wrongly: {wrong}")


@rule("stt", why="While others speak, the caller who has finished waits for the answer.")
async def final_before_interims(bench: STTBench) -> None:
    """A final transcript does not wait behind the interims of other callers."""
    only_if(bench.plugin.capabilities.interim_results, "interim transcripts")
    await bench.server_will(ear_seconds=SLOW_EAR)
    said = sentence(6)
    speakers = [bench.open() for _ in range(16)]
    try:
        async with bench.hearing() as hearing:
            for speaker in speakers:
                push(speaker.stream, speak(sentence(20), 16_000))
            utter(hearing.stream, said, flush=False)
            await bench.listened(2.0 * len(speakers) + 1.0)
            await bench.until(lambda journal: bool(journal.heard), "decoded", PATIENCE)
            hearing.stream.flush()
            # Behind one decode that runs, and its own; not behind sixteen.
            await hearing.finals(1, 8 * SLOW_EAR * FACTOR)
    finally:
        await asyncio.gather(*(speaker.aclose() for speaker in speakers))
    demand(hearing.texts() == [said], f"{said!r} was heard as {hearing.texts()}")


@rule("stt", why="Recordings and catching up after a pause lose words.")
async def faster_than_real_time(bench: STTBench) -> None:
    """Half a minute of speech that is pushed at once is heard whole."""
    said = sentence(250)
    async with bench.hearing() as hearing:
        utter(hearing.stream, said, frame_ms=200)
        hearing.stream.end_input()
        await hearing.over()
    demand(hearing.error is None, f"{hearing.error!r} came out")
    demand(hearing.words == words_of(said), f"{len(hearing.words)} of 250 words were heard")


@rule("stt", why="A worker that keeps what it heard runs out of memory in long calls.", soak=True)
async def memory_stays_flat(bench: STTBench) -> None:
    """A long call is heard whole, and none of its audio is kept once it is transcribed."""
    turns = 30 if bench.soak else 4
    said = sentence(100 if bench.soak else 50)
    seconds = len(words_of(said)) * WORD_SECONDS * turns
    tracemalloc.start()
    try:
        async with bench.hearing() as hearing:
            await _turns(hearing, said, 1, turns)
            before = _used()
            await _turns(hearing, said, turns + 1, 2 * turns)
            grown = _used() - before
    finally:
        tracemalloc.stop()
    demand(set(hearing.texts()) == {said}, f"{said!r} was heard as {set(hearing.texts())}")
    audio = seconds * 16_000 * 2
    demand(grown < audio / 2, f"{grown / 1e3:.0f} kB stayed of {audio / 1e3:.0f} kB of audio")


async def _turns(hearing: Hearing, said: str, first: int, last: int) -> None:
    for turn in range(first, last + 1):
        utter(hearing.stream, said, frame_ms=200)
        await hearing.finals(turn)


def _used() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
