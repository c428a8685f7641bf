import asyncio
from collections.abc import AsyncIterator
from time import perf_counter

import numpy as np
import pytest

from agent.caller.microphone import Microphone
from agent.caller.onset import FRAME, Segment
from agent.caller.script import Utterance

pytestmark = pytest.mark.unit


def utterance(lead: int, voiced: int, tail: int, value: int = 1) -> Utterance:
    """Return one of the given numbers of frames; the voiced ones hold ``value``."""
    frames = [0] * lead + [value] * voiced + [0] * tail
    return Utterance(np.repeat(np.array(frames, np.int16), 480), (Segment(lead, lead + voiced),))


def sent(microphone: Microphone) -> list[int]:
    return [int(value) for value in microphone.tape.cut(0, 10_000)[::480]]


@pytest.fixture
async def microphone() -> AsyncIterator[Microphone]:
    made = Microphone()
    made.start()
    yield made
    await made.aclose()


async def test_speech_is_timed_by_when_it_leaves(microphone: Microphone) -> None:
    spoken = await microphone.speak(utterance(5, 20, 5))
    assert perf_counter() >= spoken.end
    # Never faster than real time; a busy machine may hold it up.
    assert -0.02 < spoken.end - spoken.start - 19 * FRAME < 0.3
    frames = sent(microphone)
    assert spoken.start == microphone.tape.times[frames.index(1)]
    assert spoken.end == microphone.tape.times[len(frames) - 1 - frames[::-1].index(1)]


async def test_no_frame_leaves_before_it_can() -> None:
    microphone = Microphone()
    began = perf_counter()
    microphone.start()
    try:
        await microphone.speak(utterance(30, 10, 0))
    finally:
        await microphone.aclose()
    times = microphone.tape.times
    assert len(times) >= 40
    # The first frames are handed over at once; a real microphone needs 10 ms for each of them.
    early = [began + (index + 1) * FRAME - at for index, at in enumerate(times)]
    assert max(early) < FRAME / 2
    assert min(early) > -0.3


async def test_silence_surrounds_and_never_stops(microphone: Microphone) -> None:
    await microphone.speak(utterance(0, 10, 0))
    count = len(microphone.tape.times)
    async with asyncio.timeout(5):
        while len(microphone.tape.times) < count + 10:
            await asyncio.sleep(FRAME)
    assert sent(microphone)[-10:] == [0] * 10


async def test_the_next_utterance_takes_the_place_of_a_silent_tail(microphone: Microphone) -> None:
    await microphone.speak(utterance(0, 10, 1000, value=1))
    await microphone.speak(utterance(3, 10, 0, value=2))
    frames = sent(microphone)
    assert frames.count(1) == 10
    assert frames.count(2) == 10
    assert len(frames) < 300


async def test_speech_has_the_times_of_its_parts(microphone: Microphone) -> None:
    pcm = np.zeros(30 * 480, np.int16)
    spoken = await microphone.speak(Utterance(pcm, (Segment(2, 10), Segment(22, 30))))
    first, second = spoken.speech()
    assert first == pytest.approx((spoken.start, spoken.start + 7 * FRAME))
    assert second == pytest.approx((spoken.start + 20 * FRAME, spoken.start + 27 * FRAME))


async def test_closing_twice_or_unopened_is_fine() -> None:
    unopened = Microphone()
    await unopened.aclose()
    opened = Microphone()
    opened.start()
    await opened.aclose()
    await opened.aclose()
