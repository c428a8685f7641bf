"""Several callers at once: one engine against as many processes with a model each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.bench.corpus import Clip, read_recording
from agent.bench.engine import Engine
from agent.bench.machine import Usage
from agent.bench.stt.baseline_process import BaselineProcess
from agent.bench.stt.ours import Ours
from agent.bench.stt.play import Hearing
from agent.bench.stt.rows import BASELINE, OURS, Row, judge
from agent.bench.stt.scene import stage
from agent.caller.report import Latency
from agent.caller.tasks import stop as stop_tasks

CLIPS_PER_CALL = 3
# People do not begin to speak at the same instant.
_STAGGER_SECONDS = 0.37
_SAMPLE_SECONDS = 0.25

Hear = Callable[[Clip], Awaitable[Hearing]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The outcome; milliseconds and megabytes, None where not measured.

    Attributes:
        calls: Simultaneous callers.
        clips: Clips that each of them played.
        delay_ms: True end of speech to final transcript: ours,
        baseline_delay_ms: and the baseline's.
        delay_ratio: Ratio of their 95th percentiles.
        final_ms: Flush to final transcript.
        longest_wait_ms: Per call, the longest of these.
        starved: Calls of which some clip got no final transcript.
        megabytes_one: Most memory of the engine while one caller spoke.
        megabytes_all: Most memory of the engine while all spoke.
        baseline_megabytes: Memory of the baseline's processes together.
    """

    calls: int
    clips: int
    delay_ms: Latency
    baseline_delay_ms: Latency
    delay_ratio: float | None
    final_ms: Latency
    longest_wait_ms: list[float | None]
    starved: int
    megabytes_one: float | None
    megabytes_all: float | None
    baseline_megabytes: float | None


async def place_calls(
    count: int, clips: Sequence[Clip], engine: Engine, ours: Ours, model: Path
) -> Calls:
    """Let ``count`` callers speak at once, first to our engine, then to the baseline.

    Raises:
        APIError: The engine failed.
        UserError: A clip cannot be read, or the baseline failed.
    """

    async def hear(clip: Clip) -> Hearing:
        recording = await asyncio.to_thread(read_recording, clip.path)
        return await ours.hear(stage(recording), clip.language)

    alone, together = _Peak(engine.usage), _Peak(engine.usage)
    async with alone.watched():
        await _all(OURS, clips, [hear])
    async with together.watched():
        heard = await _all(OURS, clips, [hear] * count)
    async with AsyncExitStack() as stack:
        processes = [BaselineProcess(model) for _ in range(count)]
        for process in processes:
            stack.push_async_callback(process.aclose)
        await asyncio.gather(*(process.start() for process in processes))
        plain = await _all(BASELINE, clips, [_baseline(process) for process in processes])
        plain_megabytes = sum(Usage(process.pid).megabytes for process in processes)
    delay, other = _delays(heard), _delays(plain)
    return Calls(
        calls=count,
        clips=CLIPS_PER_CALL,
        delay_ms=delay,
        baseline_delay_ms=other,
        delay_ratio=delay.p95 / other.p95 if delay.p95 is not None and other.p95 else None,
        final_ms=Latency.of(
            [row.final_ms for call in heard for row in call if row.final_ms is not None]
        ),
        longest_wait_ms=[
            max((row.final_ms for row in call if row.final_ms is not None), default=None)
            for call in heard
        ],
        # Where the VAD heard nothing nobody asked, so nobody waited.
        starved=sum(any(row.vad_ends and not row.text for row in call) for call in heard),
        megabytes_one=alone.megabytes,
        megabytes_all=together.megabytes,
        baseline_megabytes=plain_megabytes,
    )


class _Peak:
    """Watches the memory of a process.

    Attributes:
        megabytes: The most so far.
    """

    def __init__(self, usage: Usage | None) -> None:
        self.megabytes: float | None = None
        self._usage = usage

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watch while the block runs."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            await stop_tasks([watching])

    async def _watch(self) -> None:
        while self._usage:
            self.megabytes = max(self.megabytes or 0.0, self._usage.megabytes)
            await asyncio.sleep(_SAMPLE_SECONDS)


def _baseline(process: BaselineProcess) -> Hear:
    async def hear(clip: Clip) -> Hearing:
        return await process.hear(clip, BASELINE)

    return hear


async def _all(system: str, clips: Sequence[Clip], callers: Sequence[Hear]) -> list[list[Row]]:
    """Return the rows of each caller; each plays other clips than the one before it."""

    async def speak(number: int, hear: Hear) -> list[Row]:
        await asyncio.sleep(number * _STAGGER_SECONDS)
        rows = []
        for turn in range(CLIPS_PER_CALL):
            clip = clips[(number * CLIPS_PER_CALL + turn) % len(clips)]
            heard = await hear(clip)
            scene = stage(await asyncio.to_thread(read_recording, clip.path))
            rows.append(judge(clip, scene, system, heard, bystanders=0.0))
        return rows

    tasks = [asyncio.create_task(speak(*caller)) for caller in enumerate(callers)]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _delays(calls: Sequence[Sequence[Row]]) -> Latency:
    return Latency.of([row.delay_ms for call in calls for row in call if row.delay_ms is not None])
