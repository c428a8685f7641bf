"""Starting the services, following them, and stopping them."""

import asyncio
from collections.abc import Callable, Sequence

from agent.readiness import Component
from agent.up.board import Board
from agent.up.children import Child
from agent.up.gates import Report, follow
from agent.up.plan import Service

# What the command line puts before the sentence of a `UserError`.
ERROR_PREFIX = "eloquence: "


class Supervisor:
    """Runs services until it is told to stop; one that fails leaves the rest running."""

    def __init__(self, board: Board, on_ready: Callable[[], None]) -> None:
        """Prepare to run.

        Args:
            board: Shown what goes on.
            on_ready: Called once, when every service is ready for the first time.
        """
        self._board = board
        self._on_ready = on_ready
        self._announced = False
        self._services: Sequence[Service] = ()
        self._ready: dict[str, asyncio.Event] = {}
        self._failures: dict[str, str] = {}
        self._children: dict[str, Child] = {}

    async def run(self, services: Sequence[Service]) -> None:
        """Start every service as soon as what it needs is ready; return when all have ended."""
        self._services = services
        self._ready = {service.name: asyncio.Event() for service in services}
        outside = [asyncio.create_task(self._follow(each)) for each in services if not each.argv]
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    if service.argv:
                        group.create_task(self._run(service))
        finally:
            for task in outside:
                task.cancel()

    async def stop(self) -> None:
        """Stop everything, first those that need others."""
        for dependent in (True, False):
            wave = [each for each in self._services if bool(each.needs) is dependent]
            await asyncio.gather(
                *(
                    self._children[each.name].stop(each.grace)
                    for each in wave
                    if each.name in self._children
                )
            )

    def kill(self) -> None:
        """End every process at once."""
        for child in self._children.values():
            child.kill()

    async def _run(self, service: Service) -> None:
        self._board.show(service.name, Report(Component("waiting")))
        for name in service.needs:
            await self._ready[name].wait()
        child = Child(service.argv, service.env, lambda line: self._line(service, line))
        self._children[service.name] = child
        try:
            await child.start()
        except OSError as error:
            reason = error.strerror or str(error)
            self._fail(service, f"{service.name} does not start ({reason}); {service.remedy}.")
            return
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self._follow(service))
            status = await child.wait()
            following.cancel()
        self._ready[service.name].clear()
        self._fail(service, _obituary(service, child.last_line, status))
        await child.stop(0)  # whatever it may have left of its group

    async def _follow(self, service: Service) -> None:
        silence = Component("starting")
        if not service.argv:
            silence = Component("failed", f"{service.name} does not answer; {service.remedy}.")
        ready = self._ready[service.name]
        async for report in follow(service.probe, silence):
            if report.failed:
                ready.clear()
                self._fail(service, report.state.message, report)
                continue
            self._board.show(service.name, report)
            if not report.ready:
                ready.clear()
                continue
            ready.set()
            self._failures.pop(service.name, None)
            self._announce()

    def _announce(self) -> None:
        if not self._announced and all(event.is_set() for event in self._ready.values()):
            self._announced = True
            self._on_ready()

    def _fail(self, service: Service, sentence: str, report: Report | None = None) -> None:
        self._board.show(service.name, report or Report(Component("failed", sentence)))
        if self._failures.get(service.name) != sentence:
            self._failures[service.name] = sentence
            self._board.complain(sentence)

    def _line(self, service: Service, line: str) -> None:
        if not (service.chatter and service.chatter.match(line)):
            self._board.line(service.name, line)


def _obituary(service: Service, last_line: str, status: int) -> str:
    """Say in one sentence why a service ended."""
    if last_line.startswith(ERROR_PREFIX):  # a sentence that says what to do
        return f"{service.name} stopped: {last_line.removeprefix(ERROR_PREFIX)}"
    cause = last_line or (f"signal {-status}" if status < 0 else f"status {status}")
    return f"{service.name} stopped ({cause.rstrip('.')}); {service.remedy}."
