"""Watch mode: a new worker for every save, while the others run on."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from agent.errors import UserError
from agent.settings import Settings, load
from agent.up.board import Board
from agent.up.plan import Service, plan
from agent.up.warm import Zygote
from agent.up.watch import saves, source_root, syntax_error

WORKER = "worker"


def reloader() -> Callable[[], Settings]:
    """Return a function that reads the settings as they are now in ``.env``.

    Call this before the settings are read for the first time, which puts them into the environment.
    """
    untouched = dict(os.environ)

    def reload() -> Settings:
        os.environ.clear()
        os.environ.update(untouched)
        return load()

    return reload


class Watch:
    """Lets a new worker take over after each save that makes sense."""

    def __init__(
        self,
        board: Board,
        take_over: Callable[[Service], Awaitable[bool]],
        reload: Callable[[], Settings],
        zygote: Zygote,
    ) -> None:
        """Prepare to watch.

        Args:
            board: Told what happens.
            take_over: Puts a new worker in the place of the running one; tells whether it did.
            reload: Reads the settings anew.
            zygote: Of which new workers are copies.
        """
        self._board = board
        self._take_over = take_over
        self._reload = reload
        self._zygote = zygote
        self._env_file = Path(".env").absolute()
        self._unchecked: set[Path] = set()

    async def run(self) -> None:
        """Watch, for ever."""
        replacing: asyncio.Task[None] | None = None
        try:
            async for paths in saves(source_root(), self._env_file):
                if replacing:
                    # A newer save: the worker on its way has old code already.
                    replacing.cancel()
                    await asyncio.wait({replacing})
                replacing = asyncio.create_task(self._bring(paths))
        finally:
            if replacing:
                replacing.cancel()
                await asyncio.wait({replacing})

    async def warm_up(self) -> None:
        """Prepare, so that workers start quickly from now on."""
        await self._zygote.renew()

    async def aclose(self) -> None:
        """End what `warm_up` began, and the workers that came from it."""
        await self._zygote.stop()

    async def _bring(self, paths: set[Path]) -> None:
        self._unchecked |= paths - {self._env_file}
        error = await asyncio.to_thread(syntax_error, self._unchecked)
        if error:
            self._board.complain(f"{error} The worker from before goes on until the next save.")
            return
        self._unchecked.clear()
        try:
            services = await plan(self._reload(), self._board.say)
        except UserError as problem:
            self._board.complain(f"{problem} The worker from before goes on until the next save.")
            return
        names = ", ".join(sorted(path.name for path in paths))
        self._board.say(f"{names} changed: a new worker is starting.")
        if self._env_file in paths:
            self._board.say("The worker reads .env again; the others will when you start anew.")
        worker = next(service for service in services if service.name == WORKER)
        if await self._take_over(replace(worker, child=self._zygote.worker)):
            self._board.say("The new worker has taken over.")
            # Only now: the worker from before may have been a copy, and would end with its zygote.
            await self._zygote.renew()
