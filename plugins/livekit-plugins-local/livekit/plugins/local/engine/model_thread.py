"""The thread on which a model runs."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

_Task = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Runner(Protocol):
    """Where work is done, one piece at a time."""

    async def run(self, work: Callable[[], T]) -> T:
        """Do ``work`` and return its result."""
        ...

    def abandon(self) -> None:
        """Give up on the work that is under way; later work does not wait for it."""
        ...

    async def aclose(self) -> None:
        """Stop once the work that is under way has ended, but do not wait for long."""
        ...


class ModelThread:
    """A thread that may be left behind.

    What hangs inside a model cannot be stopped. Threads of the standard pools would then keep the
    process from ending; this one is a daemon.
    """

    _CLOSE_SECONDS = 5.0

    def __init__(self, name: str) -> None:
        self._name = name
        self._start()

    async def run(self, work: Callable[[], T]) -> T:
        """See `Runner.run`."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._tasks.put((work, result))
        return await result

    def abandon(self) -> None:
        """See `Runner.abandon`; the old thread ends when its work does."""
        self._tasks.put(None)
        self._start()

    def stop(self) -> None:
        """End the thread once its work has ended; waits for nothing."""
        self._tasks.put(None)

    async def aclose(self) -> None:
        """See `Runner.aclose`."""
        self.stop()
        await asyncio.to_thread(self._thread.join, self._CLOSE_SECONDS)

    def _start(self) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(self._tasks,), name=self._name, daemon=True
        )
        self._thread.start()


def _work(tasks: "queue.SimpleQueue[_Task | None]") -> None:
    while task := tasks.get():
        work, result = task
        outcome: object = None
        error: BaseException | None = None
        try:
            outcome = work()
        except BaseException as raised:  # noqa: BLE001 - it is handed to whoever waits
            error = raised
        # The loop is closed when this work outlived the process's patience.
        with contextlib.suppress(RuntimeError):
            result.get_loop().call_soon_threadsafe(_settle, result, outcome, error)


def _settle(result: "asyncio.Future[Any]", outcome: object, error: BaseException | None) -> None:
    if result.done():
        return
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(outcome)
