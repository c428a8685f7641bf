"""The queue in front of a model: order, cancellation, overload, failures."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from livekit.plugins.local.engine.scheduler import MAX_QUEUED, Priority, Scheduler
from livekit.plugins.local.errors import EngineError

pytestmark = pytest.mark.unit


class Gate:
    """Holds the model's thread until opened, so that jobs pile up behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._opened = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self._opened.wait(5)

    def open(self) -> None:
        self._opened.set()


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    scheduler = Scheduler("test")
    yield scheduler
    await scheduler.aclose()


@pytest.fixture
async def gate(scheduler: Scheduler) -> AsyncIterator[Gate]:
    """A job that occupies the model until it is opened."""
    gate = Gate()
    job = asyncio.create_task(scheduler.run(Priority.FINAL, gate))
    await asyncio.to_thread(gate.entered.wait, 5)
    yield gate
    gate.open()
    await job


async def queued(scheduler: Scheduler, depth: int) -> None:
    async with asyncio.timeout(5):
        while scheduler.depth < depth:
            await asyncio.sleep(0)


async def test_returns_what_the_job_returns(scheduler: Scheduler) -> None:
    assert await scheduler.run(Priority.FINAL, lambda: 42) == 42


async def test_goes_by_priority_and_then_by_arrival(scheduler: Scheduler, gate: Gate) -> None:
    order: list[str] = []
    jobs = []
    for name, priority in [
        ("interim", Priority.INTERIM),
        ("speculative", Priority.SPECULATIVE),
        ("final 1", Priority.FINAL),
        ("final 2", Priority.FINAL),
    ]:
        work = lambda name=name: order.append(name)  # noqa: E731
        jobs.append(asyncio.create_task(scheduler.run(priority, work)))
        await queued(scheduler, len(jobs))
    gate.open()
    await asyncio.gather(*jobs)
    assert order == ["final 1", "final 2", "speculative", "interim"]


async def test_a_cancelled_job_never_reaches_the_model(scheduler: Scheduler, gate: Gate) -> None:
    ran: list[str] = []
    job = asyncio.create_task(scheduler.run(Priority.FINAL, lambda: ran.append("cancelled")))
    await queued(scheduler, 1)
    job.cancel()
    gate.open()
    await scheduler.run(Priority.INTERIM, lambda: ran.append("next"))
    assert ran == ["next"]


async def test_a_failing_job_does_not_stop_the_next(scheduler: Scheduler) -> None:
    def fail() -> None:
        raise EngineError("failed", "The model failed.")

    with pytest.raises(EngineError, match="The model failed"):
        await scheduler.run(Priority.FINAL, fail)
    assert await scheduler.run(Priority.FINAL, lambda: "well") == "well"


async def test_refuses_what_would_wait_too_long(scheduler: Scheduler, gate: Gate) -> None:
    waiting = [
        asyncio.create_task(scheduler.run(Priority.INTERIM, lambda: None))
        for _ in range(MAX_QUEUED)
    ]
    await queued(scheduler, MAX_QUEUED)
    with pytest.raises(EngineError) as refused:
        await scheduler.run(Priority.FINAL, lambda: None)
    assert refused.value.code == "overloaded"
    assert refused.value.retryable
    gate.open()
    await asyncio.gather(*waiting)


async def test_closing_leaves_nobody_waiting() -> None:
    scheduler, gate = Scheduler("closing"), Gate()
    jobs = [asyncio.create_task(scheduler.run(Priority.FINAL, gate))]
    await asyncio.to_thread(gate.entered.wait, 5)
    jobs.append(asyncio.create_task(scheduler.run(Priority.FINAL, lambda: None)))
    await queued(scheduler, 1)
    gate.open()
    await scheduler.aclose()
    async with asyncio.timeout(1):
        await asyncio.gather(*jobs, return_exceptions=True)
