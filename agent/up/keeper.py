"""Keeping one service running: starting it again when it dies, replacing it while it serves."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from functools import partial

from agent.errors import UserError
from agent.readiness import Component
from agent.up.backoff import Backoff
from agent.up.board import Board
from agent.up.children import Child
from agent.up.gates import Report, follow
from agent.up.obituary import final_sentence, obituary
from agent.up.plan import Service
from agent.up.standby import Standby


class Keeper:
    """Runs one service, or follows one that others run, until it is told to stop.

    Attributes:
        service: What is run.
        ready: Set while the service can serve.
        gave_up: Set while the service cannot run and starting it again would not help.
    """

    def __init__(
        self,
        service: Service,
        board: Board,
        *,
        needs: Callable[[], Awaitable[object]],
        changed: Callable[[], None],
        backoff: Backoff,
    ) -> None:
        """Prepare to run.

        Args:
            service: What to run.
            board: Shown what goes on.
            needs: Returns when everything that the service needs is ready.
            changed: Called when `ready` or `gave_up` was set.
            backoff: How long to wait after a death.
        """
        self.service = service
        self.ready = asyncio.Event()
        self.gave_up = asyncio.Event()
        self._board = board
        self._needs = needs
        self._changed = changed
        self._backoff = backoff
        self._child: Child | None = None
        self._successor: Child | None = None
        self._wake = asyncio.Event()
        self._handover: asyncio.Task[None] | None = None
        self._was_ready = False
        self._complained: set[str] = set()

    async def run(self) -> None:
        """Run the service, for ever."""
        if not self.service.argv:
            silence = f"{self.service.name} does not answer; {self.service.remedy}."
            await self._follow(Component("failed", silence))
        self._board.show(self.service.name, Report(Component("waiting")))
        deaths = 0
        while True:
            await self._needs()
            born = time.monotonic()
            sentence, hopeless = await self._live()
            if hopeless:
                self._complain(sentence)
                self.gave_up.set()
                self._changed()
                await self._wake.wait()
                self.gave_up.clear()
            else:
                deaths = 1 if time.monotonic() - born >= self._backoff.steady else deaths + 1
                pause = self._backoff.pause(deaths)
                self._complain(f"{sentence} It is started again in {pause:g} s.")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
            self._wake.clear()

    async def replace(self, service: Service) -> bool:
        """Let a new process take over from the one that serves, once it is ready itself.

        If it does not get that far, or this is cancelled before, everything stays as it was.

        Args:
            service: The service as it is to be; it must heed ``ELOQUENCE_STANDBY_PORT``.

        Returns:
            Whether it took over.
        """
        if self._handover:  # one that has begun is finished
            await asyncio.wait({self._handover})
        standby = Standby(service, self._line)
        takes_over = False
        try:
            failure = await standby.start()
            takes_over = failure is None
        finally:
            if not takes_over:
                await standby.child.stop(0)
        if failure:
            self._board.complain(f"{failure} The {service.name} from before goes on.")
            return False
        self.service, self._successor = service, standby.child
        self._handover = asyncio.create_task(self._hand_over())
        await asyncio.shield(self._handover)
        return True

    async def stop(self) -> None:
        """End the processes of the service."""
        if self._handover:
            self._handover.cancel()
            await asyncio.wait({self._handover})
        for child in (self._child, self._successor):
            if child:
                await child.stop(self.service.grace)

    def kill(self) -> None:
        """End them at once."""
        for child in (self._child, self._successor):
            if child:
                child.kill()

    async def _live(self) -> tuple[str, bool]:
        """Run the service from one start to its end.

        Returns:
            Why it ended, in a sentence, and whether it would end likewise every time.
        """
        service = self.service
        returns = self._was_ready and not self._successor
        if not self._successor:
            self._child = service.child(service.argv, service.env, self._line)
            try:
                await self._child.start()
            except OSError as error:
                reason = error.strerror or str(error)
                return f"{service.name} does not start ({reason}); {service.remedy}.", True
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self._follow(Component("starting"), returns=returns))
            child, status = await self._last_of_line()
            following.cancel()
        self.ready.clear()
        last_line = child.last_line
        sentence = obituary(self.service.name, self.service.remedy, last_line, status)
        self._board.show(self.service.name, Report(Component("failed", sentence)))
        await child.stop(0)  # whatever it may have left of its group
        if self.service.calls and self._was_ready:
            await self._attempt(partial(self.service.calls.dismiss, at_once=True))
        return sentence, final_sentence(last_line) is not None and not self._was_ready

    async def _last_of_line(self) -> tuple[Child, int]:
        """Wait for the end of the process after which nobody takes over; return its status."""
        while True:
            if self._successor:
                self._child, self._successor = self._successor, None
            assert self._child is not None
            status = await self._child.wait()
            if not self._successor:
                return self._child, status

    async def _hand_over(self) -> None:
        old, calls = self._child, self.service.calls
        self._was_ready = True
        self._wake.set()
        if calls:
            await self._attempt(calls.dismiss)
        if old:
            await old.stop(self.service.grace)
        if calls:
            await self._attempt(calls.recall)

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except UserError as error:
            self._board.complain(str(error))

    async def _follow(self, silence: Component, *, returns: bool = False) -> None:
        """Show where the service stands; ``returns`` says that its calls are to be brought back."""
        calls = self.service.calls if returns else None
        async for report in follow(self.service.feed, silence):
            self._board.show(self.service.name, report)
            failures = [
                part.message or f"{name} failed."
                for name, part in report.unfinished.items()
                if part.state == "failed"
            ]
            if report.failed:
                failures.append(report.state.message)
            elif not failures:
                self._complained.clear()
            for sentence in failures:
                self._complain(sentence)
            if not report.ready:
                self.ready.clear()
                continue
            self._was_ready = True
            self.ready.set()
            self._changed()
            if calls:
                await self._attempt(calls.dismiss)
                await self._attempt(calls.recall)
                calls = None

    def _complain(self, sentence: str) -> None:
        if sentence not in self._complained:
            self._complained.add(sentence)
            self._board.complain(sentence)

    def _line(self, line: str) -> None:
        if shown := self.service.tidy(line):
            self._board.line(self.service.name, shown)
