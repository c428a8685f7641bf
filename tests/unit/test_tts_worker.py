"""A voice engine that is late, hangs, breaks or says nothing; in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

import numpy as np
import pytest
from livekit.plugins.local.engine.tts.base import Cancellation, Samples
from livekit.plugins.local.engine.tts.breaker import Breaker
from livekit.plugins.local.engine.tts.rendition import Clause
from livekit.plugins.local.engine.tts.worker import VoiceWorker
from livekit.plugins.local.errors import EngineError

from tests.support import virtual_time

pytestmark = pytest.mark.unit

T = TypeVar("T")
CHUNK = np.full(240, 0.5, np.float32)


class Voice:
    """Says a chunk, or what `faults` say, one per clause."""

    name = "voice"
    sample_rate = 24_000
    version = "1"

    def __init__(self) -> None:
        self.said: list[str] = []
        self.loads = 0
        self.broken = False
        self.mute = False

    def voices(self) -> dict[str, frozenset[str]]:
        return {"one": frozenset({"en"})}

    def load(self) -> None:
        self.loads += 1

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        self.said.append(text)
        if self.broken:
            raise ZeroDivisionError
        if not self.mute:
            yield CHUNK


class Thread:
    """Stands where the engine's thread is: takes `seconds` for each piece of work, or hangs."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.hangs = False
        self.abandoned = 0

    async def run(self, work: Callable[[], T]) -> T:
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(self.seconds)
        result = work()
        # As with a thread, the audio comes before the end of the work.
        await asyncio.sleep(0)
        return result

    def abandon(self) -> None:
        self.abandoned += 1
        self.hangs = False

    async def aclose(self) -> None:
        pass


class Bench:
    """A loaded worker whose clock is the loop's."""

    def __init__(self) -> None:
        self.voice, self.thread = Voice(), Thread()
        self.told: list[str] = []
        loop = asyncio.get_running_loop()
        self.breaker = Breaker(clock=loop.time)
        self.worker = VoiceWorker(
            self.voice,
            breaker=self.breaker,
            runner=self.thread,
            on_trouble=lambda _, message: self.told.append(message),
        )

    async def say(
        self, text: str = "hello", *, due: float | None = None, patient: bool = False
    ) -> bytes:
        now = asyncio.get_running_loop().time()
        clause = Clause(text, "one", "en", 1.0)
        rendition = self.worker.speak(clause, now if due is None else due, patient=patient)
        async with aclosing(rendition.listen()) as audio:
            return b"".join([pcm async for pcm in audio])

    async def fails(self, text: str = "hello", *, patient: bool = False) -> float:
        """Return how long it took until the clause was given up."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(EngineError):
            await self.say(text, patient=patient)
        return loop.time() - began

    async def until_well(self) -> float:
        """Return how long it took until the engine is asked again."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self.breaker.state != "closed":
            await asyncio.sleep(0.5)
        return loop.time() - began


def in_virtual_time(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            bench = Bench()
            await bench.worker.load()
            try:
                await test(bench)
            finally:
                bench.worker.close()
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        virtual_time.run(main())

    return run


@in_virtual_time
async def test_a_short_clause_that_takes_longer_than_0_8_s_is_given_up(bench: Bench) -> None:
    bench.thread.seconds = 3.0
    assert await bench.fails("x" * 40) == pytest.approx(0.8)


@in_virtual_time
async def test_a_longer_clause_has_more_time(bench: Bench) -> None:
    bench.thread.seconds = 10.0
    assert await bench.fails("x" * 100) == pytest.approx(2.0)


@in_virtual_time
async def test_while_the_caller_has_audio_there_is_more_time(bench: Bench) -> None:
    bench.thread.seconds = 2.0
    now = asyncio.get_running_loop().time()
    assert await bench.say(due=now + 3.0)
    assert bench.breaker.state == "closed"


@in_virtual_time
async def test_a_voice_that_is_slow_on_this_machine_is_not_a_broken_one(bench: Bench) -> None:
    bench.thread.seconds = 0.7
    assert await bench.say("x" * 40)
    bench.thread.seconds = 2.0
    assert await bench.say("x" * 40)
    bench.thread.seconds = 9.0
    assert await bench.fails("x" * 40) == pytest.approx(6.0)


@in_virtual_time
async def test_a_busy_moment_is_forgotten(bench: Bench) -> None:
    bench.thread.seconds = 0.7
    assert await bench.say("x" * 40)
    bench.thread.seconds = 0.1
    for _ in range(20):
        assert await bench.say("x" * 40)
    bench.thread.seconds = 9.0
    assert await bench.fails("x" * 40) == pytest.approx(0.8)


@in_virtual_time
async def test_late_is_better_than_never(bench: Bench) -> None:
    bench.thread.seconds = 9.0
    assert await bench.say(patient=True)


@in_virtual_time
async def test_an_engine_that_was_late_once_is_asked_again(bench: Bench) -> None:
    bench.thread.seconds = 0.9
    await bench.fails()
    bench.thread.seconds = 0.1
    assert await bench.say()
    # What was given up never reached the engine.
    assert bench.voice.said == ["hello"]
    assert bench.breaker.state == "closed"


@in_virtual_time
async def test_who_waits_for_a_thread_that_hangs_is_told_within_a_second(bench: Bench) -> None:
    bench.thread.hangs = True
    took = await asyncio.gather(bench.fails("first"), bench.fails("second"), bench.fails("third"))
    assert took == pytest.approx([0.8, 1.0, 1.0])
    # From now on at once.
    assert await bench.fails() == 0.0
    assert await bench.fails(patient=True) == 0.0


@in_virtual_time
async def test_a_thread_that_hangs_is_replaced_and_its_engine_loaded_anew(bench: Bench) -> None:
    bench.thread.hangs = True
    await bench.fails()
    await asyncio.sleep(0.3)
    assert "does not work" in bench.told[-1]
    assert await bench.until_well() < 10.0
    assert (bench.thread.abandoned, bench.voice.loads) == (1, 2)
    assert bench.told[-1] == ""
    assert await bench.say()


@in_virtual_time
async def test_a_thread_that_hangs_after_its_caller_left_is_noticed(bench: Bench) -> None:
    bench.thread.hangs = True
    leaving = asyncio.create_task(bench.say("first"))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(bench.fails("second"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await waiting == pytest.approx(1.0)


@in_virtual_time
async def test_an_engine_that_hangs_for_ever_is_given_up_in_the_end(bench: Bench) -> None:
    class Doomed(Thread):
        def abandon(self) -> None:
            self.abandoned += 1

    doomed = bench.worker._runner = bench.worker._recovery._runner = Doomed()
    doomed.hangs = True
    await bench.fails()
    await asyncio.sleep(3600)
    assert doomed.abandoned == 4
    assert "start the engine again" in bench.told[-1]
    assert await bench.fails() == 0.0


@in_virtual_time
async def test_three_failures_make_it_refuse_at_once_until_a_probe_succeeds(bench: Bench) -> None:
    bench.voice.broken = True
    for _ in range(5):
        await bench.fails()
    assert bench.voice.said == ["hello"] * 3
    assert bench.breaker.state == "open"
    bench.voice.broken = False
    assert await bench.until_well() <= 2.5
    assert await bench.say()


@in_virtual_time
async def test_an_engine_that_stays_broken_costs_hardly_anything(bench: Bench) -> None:
    bench.voice.broken = True
    for _ in range(3):
        await bench.fails()
    await asyncio.sleep(3600)
    assert 10 < len(bench.voice.said) < 25


@in_virtual_time
async def test_who_has_nobody_else_is_not_refused(bench: Bench) -> None:
    bench.voice.broken = True
    for _ in range(3):
        await bench.fails()
    bench.voice.broken = False
    assert await bench.say(patient=True)


@in_virtual_time
async def test_no_audio_is_a_failure(bench: Bench) -> None:
    bench.voice.mute = True
    with pytest.raises(EngineError, match="made no audio"):
        await bench.say()


@in_virtual_time
async def test_who_runs_out_of_audio_first_is_served_first(bench: Bench) -> None:
    bench.thread.seconds = 0.1
    await asyncio.gather(
        bench.say("running"),
        bench.say("far ahead", due=9.0),
        bench.say("soon", due=2.0),
        bench.say("now"),
        bench.say("now, too"),
    )
    assert bench.voice.said == ["running", "now", "now, too", "soon", "far ahead"]


@in_virtual_time
async def test_of_eight_calls_none_waits_twice_as_long_as_the_others(bench: Bench) -> None:
    bench.thread.seconds = 0.3
    loop = asyncio.get_running_loop()
    waits: dict[int, list[float]] = {}

    async def call(number: int, clauses: int) -> None:
        ends = 0.0
        for _ in range(clauses):
            began = loop.time()
            await bench.say(f"{number}", due=max(ends, began))
            # What counts is the silence: waiting while one's audio plays does not.
            waits.setdefault(number, []).append(max(0.0, loop.time() - max(ends, began)))
            ends = max(ends, loop.time()) + 1.0

    # One of them has a long reply, and all of it at once.
    await asyncio.gather(call(0, 30), *(call(number, 5) for number in range(1, 8)))
    means = [sum(each) / len(each) for each in waits.values()]
    assert max(means) <= 2 * sum(means) / len(means)
