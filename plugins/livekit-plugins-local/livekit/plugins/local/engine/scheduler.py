"""One queue in front of a model that all calls share.

The model runs on one thread, one job at a time. Jobs wait by priority, and within a priority by
arrival. A job whose waiter has gone is dropped before it reaches the model; one that is already
running cannot be stopped, so its result is ignored.
"""

import asyncio
import enum
import heapq
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from livekit.plugins.local.engine import metrics
from livekit.plugins.local.errors import EngineError

T = TypeVar("T")

MAX_QUEUED = 64
"""Jobs that may wait; with more, every caller would wait too long."""


class Priority(enum.IntEnum):
    """What goes first when several jobs wait."""

    FINAL = 0
    SPECULATIVE = 1
    INTERIM = 2


@dataclass(order=True, slots=True)
class _Job:
    priority: int
    number: int
    work: Callable[[], Any] = field(compare=False)
    result: asyncio.Future[Any] = field(compare=False)
    queued_at: float = field(compare=False)


class Scheduler:
    """Runs jobs on the model's thread; used from one event loop."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[_Job] = []
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._dispatcher = asyncio.create_task(self._dispatch(), name=f"{name}-dispatcher")

    @property
    def depth(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    async def run(self, priority: Priority, work: Callable[[], T]) -> T:
        """Run ``work`` on the model's thread and return its result.

        Cancelling the caller drops the job if it still waits.

        Raises:
            EngineError: Too many jobs wait (``overloaded``).
        """
        if len(self._waiting) >= MAX_QUEUED:
            metrics.DROPPED.labels(self._name, "overloaded").inc()
            raise EngineError(
                "overloaded", "The speech engine is busy; try again in a moment.", retryable=True
            )
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = _Job(priority, next(self._numbers), work, result, time.perf_counter())
        heapq.heappush(self._waiting, job)
        self._wake.set()
        return await result

    async def aclose(self) -> None:
        """Refuse what waits, let the running job end, and stop."""
        self._dispatcher.cancel()
        await asyncio.gather(self._dispatcher, return_exceptions=True)
        for job in self._waiting:
            job.result.cancel()
        self._waiting.clear()
        await asyncio.to_thread(self._thread.shutdown)

    async def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            job = heapq.heappop(self._waiting)
            if job.result.done():
                metrics.DROPPED.labels(self._name, "cancelled").inc()
                continue
            kind = Priority(job.priority).name.lower()
            started = time.perf_counter()
            metrics.QUEUE_WAIT.labels(self._name, kind).observe(started - job.queued_at)
            try:
                outcome = await asyncio.gather(
                    loop.run_in_executor(self._thread, job.work), return_exceptions=True
                )
            except asyncio.CancelledError:
                job.result.cancel()
                raise
            metrics.RUN_TIME.labels(self._name, kind).observe(time.perf_counter() - started)
            _settle(job.result, outcome[0])


def _settle(result: asyncio.Future[Any], outcome: object) -> None:
    if result.done():
        return
    if isinstance(outcome, BaseException):
        result.set_exception(outcome)
    else:
        result.set_result(outcome)
