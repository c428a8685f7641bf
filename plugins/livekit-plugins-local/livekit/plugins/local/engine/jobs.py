"""What waits for a model, and what goes next."""

import asyncio
import enum
import itertools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

I = TypeVar("I")  # noqa: E741 - an item of work
T = TypeVar("T")


class Priority(enum.IntEnum):
    """What goes first when several jobs wait."""

    FINAL = 0
    SPECULATIVE = 1
    INTERIM = 2

    @property
    def label(self) -> str:
        """Name in metrics."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Work(Generic[I, T]):
    """One item for the model.

    Attributes:
        item: What the model is given.
        run: Takes items and returns one result each, in their order; an exception in the place of
            a result fails that item alone. Runs on the model's thread.
        key: Items with equal keys and the same ``run`` may share one call; with None, none may.
    """

    item: I
    run: Callable[[Sequence[I]], Sequence[T | Exception]]
    key: Hashable | None = None

    def may_join(self, other: "Work[Any, Any]") -> bool:
        """Whether both items may be given to the model in one call."""
        return self.key is not None and self.key == other.key and self.run == other.run


class Caller:
    """One call, so that a call with much work cannot hold up another."""

    __slots__ = ("served",)

    def __init__(self) -> None:
        self.served = -1
        """When it last had its turn; -1 until its first job takes a place in the queue."""


class Job(Generic[T]):
    """Work in the queue.

    Attributes:
        priority: Raise it with `Scheduler.promote` when somebody begins to wait for the result.
        result: Set exactly once; cancelling it drops the job if it still waits.
    """

    __slots__ = ("caller", "expiry", "number", "priority", "queued_at", "result", "work")

    def __init__(
        self,
        priority: Priority,
        work: Work[Any, T],
        caller: Caller,
        result: "asyncio.Future[T]",
        queued_at: float,
    ) -> None:
        self.priority = priority
        self.work = work
        self.caller = caller
        self.result = result
        self.queued_at = queued_at
        self.number = 0
        self.expiry: asyncio.TimerHandle | None = None

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless somebody has answered or gone already."""
        if not self.result.done():
            self.result.set_exception(error)

    def settle(self) -> None:
        """Stop the job's clock."""
        if self.expiry:
            self.expiry.cancel()
            self.expiry = None


class Waiting:
    """The jobs that wait: by priority, then the call that was served longest ago, then arrival."""

    def __init__(self) -> None:
        self._jobs: list[Job[Any]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job[Any]) -> None:
        """Queue a job."""
        job.number = next(self._numbers)
        if job.caller.served < 0:
            # A new call has its turn as if it had been served when it came.
            job.caller.served = job.number
        self._jobs.append(job)

    def remove(self, job: Job[Any]) -> bool:
        """Take a job out; return whether it was there."""
        if job not in self._jobs:
            return False
        self._jobs.remove(job)
        return True

    def same_interim(self, caller: Caller) -> Job[Any] | None:
        """Return the interim of a call that still waits: a newer one makes it pointless."""
        return next(
            (j for j in self._jobs if j.priority is Priority.INTERIM and j.caller is caller), None
        )

    def least(self) -> Job[Any] | None:
        """Return the job that would be served last."""
        return max(self._jobs, key=_rank, default=None)

    @property
    def urgent(self) -> bool:
        """Whether there is anything but interims; may be asked from any thread."""
        return any(job.priority is not Priority.INTERIM for job in tuple(self._jobs))

    def ahead(self, priority: Priority) -> int:
        """How many jobs would be served before a new one."""
        return sum(job.priority <= priority for job in self._jobs)

    def take(self, most: int) -> list[Job[Any]]:
        """Take out the next job and those that may share its call to the model.

        Args:
            most: How many at most; half as many if they are interims.
        """
        wanted = sorted((job for job in self._jobs if not job.result.done()), key=_rank)
        batch = wanted[:1]
        if batch and batch[0].priority is Priority.INTERIM:
            # Whatever urgent comes now has to wait until they are done.
            most = (most + 1) // 2
        for job in wanted[1:]:
            if len(batch) >= most:
                break
            # A less urgent job would make the urgent ones wait for it.
            if job.priority is batch[0].priority and batch[0].work.may_join(job.work):
                batch.append(job)
        for job in batch:
            self._jobs.remove(job)
            job.caller.served = next(self._numbers)
        return batch

    def clear(self) -> list[Job[Any]]:
        """Take out everything."""
        jobs, self._jobs = self._jobs, []
        return jobs


def _rank(job: Job[Any]) -> tuple[int, int, int]:
    return job.priority, job.caller.served, job.number
