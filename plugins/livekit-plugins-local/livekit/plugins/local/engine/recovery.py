"""What happens when a model hangs: its callers are told, and it is started anew."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from livekit.plugins.local.engine.jobs import Priority
from livekit.plugins.local.engine.model_thread import Runner
from livekit.plugins.local.errors import EngineError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much waits, and how long.

    Attributes:
        waiting: Jobs that may wait.
        batch: Jobs that may share one call to the model; half as many if they are interims.
        patience: Seconds from a job's arrival until it is answered with an error, for callers that
            name no time of their own. An interim must only begin by then: later it would show
            words that were said long ago.
        stall_seconds: How long the model may work on one call before it is taken to hang.
        abandon_seconds: How much longer until the thread is given up.
        revive_seconds: How long making the model usable again may take.
    """

    waiting: int = 64
    batch: int = 4
    patience: dict[Priority, float] = field(
        default_factory=lambda: {
            Priority.FINAL: 4.5,
            Priority.SPECULATIVE: 4.5,
            Priority.INTERIM: 0.5,
        }
    )
    stall_seconds: float = 15.0
    abandon_seconds: float = 15.0
    revive_seconds: float = 60.0


class Recovery:
    """Gets one model back to work.

    Attributes:
        trouble: What every request is to be refused with; None while the model is well.
    """

    def __init__(
        self,
        name: str,
        limits: Limits,
        runner: Runner,
        revive: Callable[[], None] | None,
        on_trouble: Callable[[EngineError | None], None] | None,
    ) -> None:
        """Args: see `Scheduler`."""
        self.trouble: EngineError | None = None
        self._name = name
        self._limits = limits
        self._runner = runner
        self._revive = revive
        self._on_trouble = on_trouble

    async def from_stall(
        self, running: "asyncio.Task[Any]", refuse: Callable[[Callable[[], EngineError]], None]
    ) -> None:
        """Return when the model can work again.

        Args:
            running: The call that takes too long.
            refuse: Answers all who wait with an error, each with one of its own.
        """
        limits = self._limits
        error = EngineError(
            "failed",
            f"The model {self._name} has worked on one request for {limits.stall_seconds:.0f} s; "
            "it is given more time, then started anew.",
            retryable=True,
        )
        self._say(error)
        refuse(lambda: _again(error))
        await asyncio.wait({running}, timeout=limits.abandon_seconds)
        if not running.done() and not await self._restart():
            self._say(
                EngineError(
                    "failed",
                    f"The model {self._name} hangs and cannot be started anew; start the engine "
                    "again.",
                )
            )
            await asyncio.wait({running})
        self._say(None)

    async def _restart(self) -> bool:
        if self._revive is None:
            return False
        self._runner.abandon()
        reviving = asyncio.create_task(self._runner.run(self._revive))
        try:
            await asyncio.wait({reviving}, timeout=self._limits.revive_seconds)
        finally:
            reviving.cancel()
        if not reviving.done() or reviving.cancelled():
            return False
        error = reviving.exception()
        if error:
            _log.error("%s: %s", self._name, error)
        return error is None

    def check(self) -> None:
        """Raise what requests are refused with, if they are."""
        if self.trouble:
            raise _again(self.trouble)

    def _say(self, error: EngineError | None) -> None:
        self.trouble = error
        if error:
            _log.error("%s", error.message)
        else:
            _log.warning("%s: the model works again", self._name)
        if self._on_trouble:
            self._on_trouble(error)


def _again(error: EngineError) -> EngineError:
    """Return a copy: an exception that is raised more than once collects the places."""
    return EngineError(error.code, error.message, retryable=error.retryable, remedy=error.remedy)
