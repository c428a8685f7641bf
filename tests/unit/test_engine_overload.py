"""The queue in front of a model, in virtual time: overload, failures, the end."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.model_thread import ModelThread
from livekit.plugins.local.engine.scheduler import Limits, Priority, Scheduler
from livekit.plugins.local.errors import EngineError

from tests.support import virtual_time
from tests.support.scheduling import (
    FINAL,
    INTERIM,
    LIMITS,
    SPECULATIVE,
    FakeModel,
    busy,
    in_virtual_time,
    now,
    outcome,
    serving,
)

pytestmark = pytest.mark.unit


@in_virtual_time
async def test_what_waited_too_long_is_answered_in_time_and_never_run() -> None:
    async with serving(limits=Limits(patience={FINAL: 0.5, SPECULATIVE: 4, INTERIM: 0.2})) as (
        scheduler,
        model,
    ):
        first = scheduler.submit(SPECULATIVE, model.work("first"))
        await asyncio.sleep(0.1)
        late, interim = (scheduler.submit(p, model.work("late")) for p in (FINAL, INTERIM))
        assert await outcome(interim) == "overloaded"
        assert now() == pytest.approx(0.3)
        assert await outcome(late) == "overloaded"
        assert now() == pytest.approx(0.6)
        await first.result
        model.seconds = 0.2
        assert await scheduler.run(FINAL, lambda: "next") == "next"
        assert ["late"] not in model.calls


@in_virtual_time
async def test_a_model_that_is_slow_is_told_from_one_that_hangs() -> None:
    patience = {FINAL: 2.0, SPECULATIVE: 2.0, INTERIM: 0.5}
    async with serving(limits=Limits(patience=patience, stall_seconds=4)) as (scheduler, model):
        model.seconds = 3.0
        slow = scheduler.submit(FINAL, model.work("slow"))
        await asyncio.sleep(1.5)
        waits = scheduler.submit(FINAL, model.work("waits"))
        assert await outcome(slow) == "overloaded"
        assert now() == pytest.approx(2.0)
        model.seconds = 0.2
        assert await outcome(waits) == "WAITS"
        assert now() == pytest.approx(3.2)


@in_virtual_time
async def test_an_interim_that_has_begun_may_take_its_time() -> None:
    async with serving() as (scheduler, model):
        assert await scheduler.submit(INTERIM, model.work("slow")).result == "SLOW"
        assert now() == pytest.approx(1.0)


@in_virtual_time
async def test_refuses_what_would_not_fit() -> None:
    async with serving() as (scheduler, model):
        model.seconds = 0.3
        await busy(scheduler, model)
        jobs = [scheduler.submit(FINAL, model.work(f"{n}")) for n in range(8)]
        assert scheduler.load < 1
        with pytest.raises(EngineError) as refused:
            scheduler.submit(FINAL, model.work("too much"))
        assert refused.value.code == "overloaded"
        assert refused.value.retryable
        assert scheduler.load == 1
        await asyncio.gather(*(job.result for job in jobs))
        await asyncio.sleep(30)
        assert scheduler.load < 0.1


@in_virtual_time
async def test_something_urgent_takes_the_place_of_an_interim() -> None:
    async with serving() as (scheduler, model):
        model.seconds = 0.01
        model.hang = True
        await busy(scheduler, model)
        interims = [scheduler.submit(INTERIM, model.work(f"{n}")) for n in range(8)]
        final = scheduler.submit(FINAL, model.work("final"))
        model.wake()
        assert await outcome(final) == "FINAL"
        assert [await outcome(job) for job in interims].count("overloaded") == 1


@in_virtual_time
async def test_refuses_what_would_come_too_late_at_the_present_pace() -> None:
    async with serving(limits=Limits(patience=dict.fromkeys(Priority, 2.0))) as (scheduler, model):
        for _ in range(30):
            await scheduler.submit(FINAL, model.work("pace")).result
        await busy(scheduler, model)
        jobs = [scheduler.submit(FINAL, model.work(f"{n}")) for n in range(3)]
        with pytest.raises(EngineError, match="busy"):
            scheduler.submit(FINAL, model.work("too late"))
        await asyncio.gather(*(outcome(job) for job in jobs))


@in_virtual_time
async def test_load_is_the_share_of_time_that_callers_wait_for() -> None:
    async with serving() as (scheduler, model):
        for _ in range(60):
            await scheduler.submit(FINAL, model.work("final")).result
            await asyncio.sleep(1)
        assert 0.5 < scheduler.load < 0.75
        for _ in range(60):
            await scheduler.submit(INTERIM, model.work("courtesy")).result
        assert scheduler.load < 0.1


@in_virtual_time
async def test_a_model_that_hangs_is_noticed_and_recovers_when_it_comes_back() -> None:
    troubles: list[EngineError | None] = []
    async with serving(on_trouble=troubles.append) as (scheduler, model):
        model.hang = True
        stuck, waits = (scheduler.submit(FINAL, model.work(name)) for name in ("stuck", "waits"))
        assert await outcome(stuck) == "failed"
        assert now() == pytest.approx(4.0)
        assert await outcome(waits) in ("failed", "overloaded")
        with pytest.raises(EngineError, match="is given more time") as refused:
            scheduler.submit(FINAL, model.work("refused"))
        assert refused.value.retryable
        assert scheduler.load == 1
        assert len(troubles) == 1
        model.wake()
        await asyncio.sleep(2)
        assert troubles[-1] is None
        assert await scheduler.submit(FINAL, model.work("well")).result == "WELL"
        assert model.left == 0


@in_virtual_time
async def test_a_model_that_does_not_come_back_is_started_anew() -> None:
    revived: list[float] = []
    async with serving(revive=lambda: revived.append(now())) as (scheduler, model):
        model.hang = True
        assert await outcome(scheduler.submit(FINAL, model.work("stuck"))) == "failed"
        await asyncio.sleep(20)
        assert model.left == 1
        assert revived == [pytest.approx(21.0)]
        assert await scheduler.submit(FINAL, model.work("well")).result == "WELL"


def _cannot() -> None:
    raise EngineError("device", "The GPU 0 failed.")


@pytest.mark.parametrize("revive", [None, _cannot])
def test_a_model_that_cannot_be_started_anew_says_so(revive: Callable[[], None] | None) -> None:
    async def hang() -> None:
        troubles: list[EngineError | None] = []
        async with serving(revive=revive, on_trouble=troubles.append) as (scheduler, model):
            model.hang = True
            assert await outcome(scheduler.submit(FINAL, model.work("stuck"))) == "failed"
            await asyncio.sleep(100)
            with pytest.raises(EngineError, match="start the engine again") as refused:
                scheduler.submit(FINAL, model.work("refused"))
            assert not refused.value.retryable
            trouble = troubles[-1]
            assert trouble
            assert trouble.message == refused.value.message

    virtual_time.run(hang())


@in_virtual_time
async def test_closing_leaves_nobody_waiting() -> None:
    async with serving() as (scheduler, model):
        jobs = [await busy(scheduler, model), scheduler.submit(FINAL, model.work("waits"))]
        await scheduler.aclose()
        for job in jobs:
            assert job.result.cancelled()


@in_virtual_time
async def test_what_happens_is_measured() -> None:
    def sample(name: str, **labels: str) -> float:
        value = metrics.REGISTRY.get_sample_value(
            f"eloquence_engine_{name}", {"model": "measured", **labels}
        )
        return value or 0.0

    model = FakeModel()
    scheduler = Scheduler("measured", runner=model, limits=LIMITS)
    await busy(scheduler, model)
    jobs = [scheduler.submit(FINAL, model.work(f"{n}", 15)) for n in range(3)]
    assert sample("queue_depth") == 3
    await asyncio.gather(*(job.result for job in jobs))
    assert sample("queue_depth") == 0
    assert sample("batch_size_sum", kind="final") == 4
    assert sample("batch_size_count", kind="final") == 2
    assert sample("queue_wait_seconds_sum", kind="final") == pytest.approx(3 * 0.9)
    assert sample("run_seconds_sum", kind="final") == pytest.approx(2.0)
    await scheduler.aclose()


async def test_a_thread_serves_and_closing_waits_for_its_work() -> None:
    scheduler, done = Scheduler("thread"), threading.Event()
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(began.set)
        done.wait(5)

    job = asyncio.create_task(scheduler.run(FINAL, work))
    await asyncio.wait_for(began.wait(), 5)
    threading.Timer(0.05, done.set).start()
    await scheduler.aclose()
    assert done.is_set()
    await asyncio.gather(job, return_exceptions=True)


async def test_a_thread_that_hangs_is_left_behind() -> None:
    thread, release = ModelThread("left"), threading.Event()
    stuck = asyncio.create_task(thread.run(lambda: release.wait(30)))
    await asyncio.sleep(0)
    thread.abandon()
    assert await asyncio.wait_for(thread.run(lambda: "well"), 5) == "well"
    assert not stuck.done()
    release.set()
    assert await asyncio.wait_for(stuck, 5)
    await thread.aclose()
