"""The queue in front of a model, in virtual time: order, batches, fairness."""

import asyncio

import pytest
from livekit.plugins.local.engine.scheduler import Caller, Limits, Priority
from livekit.plugins.local.errors import EngineError

from tests.support.scheduling import (
    FINAL,
    INTERIM,
    SPECULATIVE,
    FakeModel,
    busy,
    dropped,
    in_virtual_time,
    now,
    outcome,
    serving,
)

pytestmark = pytest.mark.unit


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
