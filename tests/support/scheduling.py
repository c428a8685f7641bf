"""A model in virtual time, with the queue in front of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, TypeVar

from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.scheduler import Job, Limits, Priority, Scheduler, Work
from livekit.plugins.local.errors import EngineError

from tests.support import virtual_time

T = TypeVar("T")

FINAL, SPECULATIVE, INTERIM = Priority.FINAL, Priority.SPECULATIVE, Priority.INTERIM
LIMITS = Limits(waiting=8, batch=4, stall_seconds=4, abandon_seconds=16, revive_seconds=60)


class FakeModel:
    """A runner that takes ``seconds`` per call, and what it was asked to do.

    Attributes:
        calls: The items of each call, in order.
        hang: The next call does not end; `wake` ends it.
        left: How often it was abandoned.
        refused: Items that fail the call they are in.
        failed: Items that fail alone.
    """

    def __init__(self) -> None:
        self.seconds = 1.0
        self.calls: list[list[str]] = []
        self.hang = False
        self.left = 0
        self.refused: set[str] = set()
        self.failed: set[str] = set()
        self._awake = asyncio.Event()

    async def run(self, work: Callable[[], T]) -> T:
        if self.hang:
            self.hang = False
            await self._awake.wait()
        await asyncio.sleep(self.seconds)
        return work()

    def wake(self) -> None:
        self._awake.set()

    def abandon(self) -> None:
        self.left += 1

    async def aclose(self) -> None:
        pass

    def transcribe(self, items: Sequence[str]) -> list[str | Exception]:
        self.calls.append(list(items))
        if self.refused.intersection(items):
            raise EngineError("failed", f"cannot do {items}")
        error = EngineError("device", "no")
        return [error if item in self.failed else item.upper() for item in items]

    def work(self, name: str, key: object = None) -> Work[str, str]:
        return Work(name, self.transcribe, key)


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Scheduler, FakeModel]]:
    """A queue in front of a fake model."""
    model = FakeModel()
    scheduler = Scheduler("test", runner=model, **{"limits": LIMITS, **options})
    try:
        yield scheduler, model
    finally:
        model.wake()
        await scheduler.aclose()


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test as if time passed only where it sleeps."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        virtual_time.run(test(*args, **kwargs))

    return run


async def busy(scheduler: Scheduler, model: FakeModel) -> Job[str]:
    """Occupy the model, so that what comes next has to wait."""
    job = scheduler.submit(FINAL, model.work("first"))
    await asyncio.sleep(0.1)
    return job


def now() -> float:
    """Time of the event loop, in seconds."""
    return asyncio.get_running_loop().time()


def dropped(reason: str) -> float:
    """How many jobs were dropped for a reason so far."""
    return (
        metrics.REGISTRY.get_sample_value(
            "eloquence_engine_dropped_total", {"model": "test", "reason": reason}
        )
        or 0.0
    )


async def outcome(job: Job[str]) -> str:
    """A job's result, or the code of its failure."""
    try:
        return await job.result
    except EngineError as error:
        return error.code
