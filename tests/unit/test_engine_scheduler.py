"""The queue in front of a model, in virtual time: order, batches, fairness, overload, failures."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, TypeVar

import pytest
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.model_thread import ModelThread
from livekit.plugins.local.engine.scheduler import (
    Caller,
    Job,
    Limits,
    Priority,
    Scheduler,
    Work,
)
from livekit.plugins.local.errors import EngineError

from tests.support import virtual_time

pytestmark = pytest.mark.unit

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
    model = FakeModel()
    scheduler = Scheduler("test", runner=model, **{"limits": LIMITS, **options})
    try:
        yield scheduler, model
    finally:
        model.wake()
        await scheduler.aclose()


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
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
    return asyncio.get_running_loop().time()


def dropped(reason: str) -> float:
    return (
        metrics.REGISTRY.get_sample_value(
            "eloquence_engine_dropped_total", {"model": "test", "reason": reason}
        )
        or 0.0
    )


async def outcome(job: Job[str]) -> str:
    try:
        return await job.result
    except EngineError as error:
        return error.code


@in_virtual_time
async def test_an_idle_model_starts_at_once() -> None:
    async with serving() as (scheduler, _):
        assert await scheduler.run(FINAL, lambda: 42) == 42
        assert now() == pytest.approx(1.0)


@in_virtual_time
async def test_goes_by_priority_and_then_by_arrival() -> None:
    async with serving() as (scheduler, model):
        await busy(scheduler, model)
        jobs = [
            scheduler.submit(priority, model.work(name))
            for name, priority in [
                ("speculative", SPECULATIVE),
                ("final 1", FINAL),
                ("final 2", FINAL),
            ]
        ]
        await asyncio.gather(*(job.result for job in jobs))
        assert model.calls[1:] == [["final 1"], ["final 2"], ["speculative"]]


@in_virtual_time
async def test_a_job_that_is_promoted_overtakes() -> None:
    async with serving() as (scheduler, model):
        await busy(scheduler, model)
        jobs = [scheduler.submit(SPECULATIVE, model.work(name)) for name in ("a", "b")]
        scheduler.promote(jobs[1], FINAL)
        await asyncio.gather(*(job.result for job in jobs))
        assert model.calls[1:] == [["b"], ["a"]]


@in_virtual_time
async def test_jobs_that_fit_share_a_call_and_others_do_not() -> None:
    async with serving() as (scheduler, model):
        model.seconds = 0.3
        await busy(scheduler, model)
        items = [
            ("15 s a", FINAL, (15, 5)),
            ("20 s", FINAL, (20, 5)),
            ("15 s b", FINAL, (15, 5)),
            ("greedy", FINAL, (15, 1)),
            ("alone", FINAL, None),
            ("later", SPECULATIVE, (15, 5)),
            ("alone too", FINAL, None),
        ]
        jobs = [scheduler.submit(p, model.work(name, key)) for name, p, key in items]
        assert [await outcome(job) for job in jobs] == [name.upper() for name, *_ in items]
        assert model.calls[1:] == [
            ["15 s a", "15 s b"],
            ["20 s"],
            ["greedy"],
            ["alone"],
            ["alone too"],
            ["later"],
        ]


@in_virtual_time
async def test_work_of_another_kind_is_never_mixed_in() -> None:
    async with serving() as (scheduler, model):
        await busy(scheduler, model)
        other = FakeModel()
        jobs = [scheduler.submit(FINAL, m.work("x", 15)) for m in (model, other)]
        await asyncio.gather(*(job.result for job in jobs))
        assert (model.calls[1:], other.calls) == ([["x"]], [["x"]])


@in_virtual_time
async def test_a_batch_has_a_limit() -> None:
    async with serving() as (scheduler, model):
        await busy(scheduler, model)
        jobs = [scheduler.submit(FINAL, model.work(f"{n}", 15)) for n in range(6)]
        await asyncio.gather(*(job.result for job in jobs))
        assert [len(call) for call in model.calls[1:]] == [4, 2]


@in_virtual_time
async def test_interims_share_in_small_batches_lest_something_urgent_waits_long() -> None:
    async with serving() as (scheduler, model):
        model.seconds = 0.1
        await busy(scheduler, model)
        jobs = [scheduler.submit(INTERIM, model.work(f"{n}", 15)) for n in range(4)]
        await asyncio.gather(*(job.result for job in jobs))
        assert [len(call) for call in model.calls[1:]] == [2, 2]


@in_virtual_time
async def test_one_bad_item_does_not_spoil_its_batch() -> None:
    async with serving() as (scheduler, model):
        await busy(scheduler, model)
        model.refused = {"b"}
        jobs = [scheduler.submit(FINAL, model.work(name, 15)) for name in ("a", "b", "c")]
        assert [await outcome(job) for job in jobs] == ["A", "failed", "C"]


@in_virtual_time
async def test_an_exception_among_the_results_fails_its_item_alone() -> None:
    async with serving() as (scheduler, model):
        await busy(scheduler, model)
        model.failed = {"b"}
        jobs = [scheduler.submit(FINAL, model.work(name, 15)) for name in ("a", "b", "c")]
        assert [await outcome(job) for job in jobs] == ["A", "device", "C"]
        assert model.calls[1:] == [["a", "b", "c"]]


@in_virtual_time
async def test_a_failing_job_does_not_stop_the_next() -> None:
    async with serving() as (scheduler, model):
        model.refused = {"bad"}
        with pytest.raises(EngineError, match="cannot do"):
            await scheduler.submit(FINAL, model.work("bad")).result
        assert await scheduler.submit(FINAL, model.work("good")).result == "GOOD"


@in_virtual_time
async def test_a_call_with_much_work_does_not_hold_up_another() -> None:
    async with serving() as (scheduler, model):
        model.seconds = 0.3
        await busy(scheduler, model)
        many, one = Caller(), Caller()
        jobs = [scheduler.submit(FINAL, model.work(f"many {n}"), caller=many) for n in range(3)]
        jobs.append(scheduler.submit(FINAL, model.work("one 0"), caller=one))
        await jobs[0].result
        jobs.append(scheduler.submit(FINAL, model.work("one 1"), caller=one))
        await asyncio.gather(*(job.result for job in jobs))
        order = [item for (item,) in model.calls[1:]]
        assert order == ["many 0", "one 0", "many 1", "one 1", "many 2"]


@in_virtual_time
async def test_no_call_starves_when_all_always_want_more() -> None:
    async with serving(limits=Limits(waiting=99, patience=dict.fromkeys(Priority, 99.0))) as (
        scheduler,
        model,
    ):

        async def talk(name: str) -> None:
            caller = Caller()
            for _ in range(5):
                await scheduler.submit(FINAL, model.work(name), caller=caller).result

        await asyncio.gather(*(talk(f"{n}") for n in range(6)))
        for turn in range(5):
            calls = model.calls[6 * turn : 6 * turn + 6]
            assert sorted(item for (item,) in calls) == [f"{n}" for n in range(6)]


@in_virtual_time
async def test_a_newer_interim_replaces_the_one_that_waits() -> None:
    async with serving() as (scheduler, model):
        model.seconds = 0.2
        await busy(scheduler, model)
        mine, other = Caller(), Caller()
        before = dropped("superseded")
        jobs = [
            scheduler.submit(INTERIM, model.work("old"), caller=mine),
            scheduler.submit(INTERIM, model.work("other"), caller=other),
            scheduler.submit(INTERIM, model.work("new"), caller=mine),
        ]
        assert [await outcome(job) for job in jobs] == ["overloaded", "OTHER", "NEW"]
        assert ["old"] not in model.calls
        assert dropped("superseded") == before + 1


@in_virtual_time
async def test_a_cancelled_job_never_reaches_the_model() -> None:
    async with serving() as (scheduler, model):
        first = await busy(scheduler, model)
        before = dropped("cancelled")
        waiting = asyncio.create_task(scheduler.run(FINAL, lambda: model.calls.append(["gone"])))
        await asyncio.sleep(0)
        assert scheduler.depth == 1
        waiting.cancel()
        await first.result
        await scheduler.submit(INTERIM, model.work("next")).result
        assert model.calls == [["first"], ["next"]]
        assert dropped("cancelled") == before + 1


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
