"""One queue in front of a model that all calls share.

The model does one thing at a time, on a thread of its own. What waits goes by priority, then to
the call that was served longest ago. The next job never waits for others to come; those that are
there already and fit share its call to the model. Running work cannot be stopped, though an interim
may stop by itself when something more `urgent` waits: when it takes too long, its callers are told,
the rest is refused, and the model gets a new thread if it does not come back.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.jobs import Caller, Job, Priority, Waiting, Work
from livekit.plugins.local.engine.load import Load
from livekit.plugins.local.engine.model_thread import ModelThread, Runner
from livekit.plugins.local.engine.recovery import Limits, Recovery
from livekit.plugins.local.errors import EngineError

__all__ = ["Caller", "Job", "Limits", "Priority", "Scheduler", "Work"]

T = TypeVar("T")


class Scheduler:
    """Runs jobs on one model; used from one event loop."""

    def __init__(
        self,
        name: str,
        *,
        limits: Limits | None = None,
        runner: Runner | None = None,
        revive: Callable[[], None] | None = None,
        on_trouble: Callable[[EngineError | None], None] | None = None,
    ) -> None:
        """Start to serve.

        Args:
            name: The model's name in metrics.
            limits: How much waits, and how long.
            runner: Where the model runs; a thread when None.
            revive: Makes a model usable again that hangs, on a new thread.
            on_trouble: Told what every request is refused with, and with None that it is over.
        """
        self._name = name
        self._limits = limits or Limits()
        self._runner = runner or ModelThread(name)
        self._recovery = Recovery(name, self._limits, self._runner, revive, on_trouble)
        self._waiting = Waiting()
        self._load = Load()
        self._seconds_per_job = 0.0
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._dispatcher = asyncio.create_task(self._dispatch(), name=f"{name}-dispatcher")

    @property
    def depth(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    @property
    def urgent(self) -> bool:
        """Whether anything but interims waits; may be asked from any thread."""
        return self._waiting.urgent

    @property
    def load(self) -> float:
        """How busy the model is, in [0, 1]; 1 means that it should get no further call."""
        return 1.0 if self._recovery.trouble else self._load.at(self._loop.time())

    async def run(
        self, priority: Priority, work: Callable[[], T], *, caller: Caller | None = None
    ) -> T:
        """Run ``work`` on the model's thread, alone, and return its result.

        Cancelling the caller drops the job if it still waits.

        Raises:
            EngineError: See `submit`.
        """
        alone: Work[None, T] = Work(None, lambda _: [work()])
        return await self.submit(priority, alone, caller=caller).result

    def submit(
        self,
        priority: Priority,
        work: Work[Any, T],
        *,
        caller: Caller | None = None,
        patience: float | None = None,
    ) -> Job[T]:
        """Queue one item and return its job; await the job's ``result``.

        Args:
            priority: When it is its turn.
            work: The item and how it is done.
            caller: The call it is for; an interim replaces the same call's that still waits.
            patience: Seconds after which the job is answered with an error; None takes those of
                the limits.

        Raises:
            EngineError: The model hangs (``failed``), or too much waits for it (``overloaded``).
                The result raises the same when that happens later.
        """
        now = self._loop.time()
        job = Job(priority, work, caller or Caller(), self._loop.create_future(), now)
        older = self._waiting.same_interim(job.caller) if priority is Priority.INTERIM else None
        if older:
            self._drop(older, "superseded")
        if patience is None:
            patience = self._limits.patience[priority]
        self._admit(job, patience)
        job.expiry = self._loop.call_later(patience, self._drop, job, "late")
        job.result.add_done_callback(lambda _: self._forget(job))
        self._waiting.add(job)
        self._measure_depth()
        self._wake.set()
        return job

    def promote(self, job: Job[Any], priority: Priority) -> None:
        """Make a job that still waits more urgent."""
        if priority < job.priority:
            job.priority = priority

    async def aclose(self) -> None:
        """Refuse what waits, let the running job end, and stop."""
        self._dispatcher.cancel()
        await asyncio.gather(self._dispatcher, return_exceptions=True)
        for job in self._waiting.clear():
            job.settle()
            job.result.cancel()
        self._measure_depth()
        await self._runner.aclose()

    def _admit(self, job: Job[Any], patience: float) -> None:
        self._recovery.check()
        wait = self._waiting.ahead(job.priority) * self._seconds_per_job
        full = len(self._waiting) >= self._limits.waiting
        least = self._waiting.least()
        if full and least and least.priority > job.priority:
            self._drop(least, "overloaded")
        elif full or wait > patience:
            self._count_drop("overloaded", essential=job.priority is not Priority.INTERIM)
            raise _busy()

    def _drop(self, job: Job[Any], reason: str) -> None:
        """Answer a job with an error; if it is being worked on, what comes of it is ignored."""
        if self._waiting.remove(job):
            self._measure_depth()
        if not job.result.done():
            job.settle()
            self._count_drop(reason, essential=job.priority is not Priority.INTERIM)
            job.fail(_busy())

    def _forget(self, job: Job[Any]) -> None:
        """Drop a job for which nobody waits any more; called when it has a result of any kind."""
        job.settle()
        if not job.result.cancelled():
            job.result.exception()  # that nobody asks for it is no error
        if self._waiting.remove(job):
            self._measure_depth()
            metrics.DROPPED.labels(self._name, "cancelled").inc()

    def _count_drop(self, reason: str, *, essential: bool) -> None:
        metrics.DROPPED.labels(self._name, reason).inc()
        if essential:
            self._load.refused(self._loop.time())

    def _measure_depth(self) -> None:
        metrics.QUEUE_DEPTH.labels(self._name).set(len(self._waiting))

    async def _dispatch(self) -> None:
        while True:
            while not (batch := self._waiting.take(self._limits.batch)):
                self._wake.clear()
                await self._wake.wait()
            self._measure_depth()
            try:
                await self._serve(batch)
            except asyncio.CancelledError:
                for job in batch:
                    job.result.cancel()
                raise

    async def _serve(self, batch: list[Job[Any]]) -> None:
        began = self._loop.time()
        kind = batch[0].priority.label
        for job in batch:
            if job.priority is Priority.INTERIM:
                job.settle()  # it was only the wait that would have made it pointless
            metrics.QUEUE_WAIT.labels(self._name, kind).observe(began - job.queued_at)
        metrics.BATCH_SIZE.labels(self._name, kind).observe(len(batch))
        works = [job.work for job in batch]
        running = asyncio.create_task(self._runner.run(lambda: _call(works)))
        try:
            await asyncio.wait({running}, timeout=self._limits.stall_seconds)
            if not running.done():
                await self._stalled(batch, running)
                return
        finally:
            running.cancel()
        seconds = self._loop.time() - began
        metrics.RUN_TIME.labels(self._name, kind).observe(seconds)
        self._seconds_per_job += 0.1 * (seconds / len(batch) - self._seconds_per_job)
        if batch[0].priority is not Priority.INTERIM:
            self._load.worked(began, began + seconds)
        for job, outcome in zip(batch, running.result(), strict=True):
            if isinstance(outcome, Exception):
                job.fail(outcome)
            elif not job.result.done():
                job.result.set_result(outcome)

    async def _stalled(self, batch: list[Job[Any]], running: "asyncio.Task[Any]") -> None:
        def refuse(error: Callable[[], EngineError]) -> None:
            for job in [*batch, *self._waiting.clear()]:
                job.settle()
                if not job.result.done():
                    metrics.DROPPED.labels(self._name, "stalled").inc()
                    job.fail(error())
            self._measure_depth()

        await self._recovery.from_stall(running, refuse)


def _call(works: Sequence[Work[Any, Any]]) -> list[Any]:
    """Do work that may share one call; runs on the model's thread."""
    try:
        outcomes = list(works[0].run([work.item for work in works]))
        if len(outcomes) != len(works):
            raise RuntimeError(f"{len(works)} items gave {len(outcomes)} results")
    except Exception as error:  # noqa: BLE001 - it is the answer to whoever waits
        if len(works) == 1:
            return [error]
        # One item may have spoiled the call for the others.
        return [outcome for work in works for outcome in _call([work])]
    return outcomes


def _busy() -> EngineError:
    return EngineError(
        "overloaded", "The speech engine is busy; try again in a moment.", retryable=True
    )
