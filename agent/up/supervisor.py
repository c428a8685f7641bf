"""All services together: who waits for whom, when everything is ready, and the end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from agent.up.backoff import Backoff
from agent.up.board import Board
from agent.up.keeper import Keeper
from agent.up.plan import Service


class Supervisor:
    """Runs services until it is told to stop; one that fails leaves the rest running."""

    def __init__(
        self, board: Board, on_ready: Callable[[], None], backoff: Backoff | None = None
    ) -> None:
        """Prepare to run.

        Args:
            board: Shown what goes on.
            on_ready: Called once, when every service is ready for the first time.
            backoff: How long to wait before a service that died is started again.
        """
        self._board = board
        self._on_ready = on_ready
        self._backoff = backoff or Backoff()
        self._announced = False
        self._nothing_runs = asyncio.Event()
        self._keepers: dict[str, Keeper] = {}

    async def run(self, services: Sequence[Service]) -> None:
        """Start every service as soon as what it needs is ready; return when none can run."""
        self._keepers = {service.name: self._keeper(service) for service in services}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keeper.run()) for keeper in self._keepers.values()]
            await self._nothing_runs.wait()
            for task in tasks:
                task.cancel()

    async def replace(self, service: Service) -> bool:
        """Let a new process of a service take over from the old one; see `Keeper.replace`."""
        return await self._keepers[service.name].replace(service)

    async def stop(self) -> None:
        """Stop everything, first those that need others."""
        for dependent in (True, False):
            wave = [k for k in self._keepers.values() if bool(k.service.needs) is dependent]
            await asyncio.gather(*(keeper.stop() for keeper in wave))

    def kill(self) -> None:
        """End every process at once."""
        for keeper in self._keepers.values():
            keeper.kill()

    def _keeper(self, service: Service) -> Keeper:
        def needs() -> Awaitable[object]:
            return asyncio.gather(*(self._keepers[name].ready.wait() for name in service.needs))

        return Keeper(
            service, self._board, needs=needs, changed=self._on_change, backoff=self._backoff
        )

    def _on_change(self) -> None:
        keepers = self._keepers.values()
        if not self._announced and all(keeper.ready.is_set() for keeper in keepers):
            self._announced = True
            self._on_ready()
        if all(keeper.gave_up.is_set() for keeper in keepers if keeper.service.argv):
            self._nothing_runs.set()
