"""Workers that need not import everything: copies of a process that has done so already."""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.settings import FOREIGN_VARIABLES
from agent.up import zygote
from agent.up.children import Child, OnLine
from agent.up.copies import Copy

# What a worker and its jobs load, apart from the source that is being edited.
IMPORTS = (
    "livekit.agents",
    # What the framework has its own fork server do for the job processes.
    "livekit.agents.ipc._preload",
    "livekit.plugins.deepgram",
    "livekit.plugins.openai",
    "aiohttp.web",
    "dotenv",
    "numpy",
    "openai.lib.streaming.chat",
    "openai.pagination",
    "openai.resources.chat.chat",
    "openai.resources.chat.completions.completions",
    "platformdirs",
    "prometheus_client.core",
    "pydantic.networks",
    "pydantic_settings",
    "typer",
)
WORKER_MODULE = "agent.worker.warm"


class Zygote:
    """Keeps a process of which workers can be copies; without it they start as ever, later."""

    def __init__(
        self,
        on_line: OnLine,
        *,
        imports: Sequence[str] = IMPORTS,
        module: str = WORKER_MODULE,
    ) -> None:
        """Prepare it.

        Args:
            on_line: Called with each line that it prints.
            imports: What it imports.
            module: What its copies run.
        """
        self._on_line = on_line
        self._imports = imports
        self._module = module
        self._child: Child | None = None
        self._control: socket.socket | None = None
        self._ended: asyncio.Task[int] | None = None
        self._foreign: dict[str, str] = {}
        self._renewing = asyncio.Lock()

    async def renew(self) -> None:
        """Start it, unless there is one that fits the environment as it is now.

        Libraries read some variables when they are imported, so that a copy would be too late.
        """
        if not sys.platform.startswith("linux"):  # elsewhere, libraries do not survive a fork
            return
        async with self._renewing:
            if self._fits(os.environ):
                return
            await self._end()
            ours, theirs = socket.socketpair()
            program = Path(zygote.__file__)
            self._foreign = _foreign(os.environ)
            self._control = ours
            self._child = Child(
                (sys.executable, "-P", str(program), *self._imports),
                {**os.environ, "PYTHONUNBUFFERED": "1"},
                self._on_line,
                stdin=theirs.fileno(),
            )
            with theirs:
                try:
                    await self._child.start()
                except OSError as error:
                    self._on_line(f"Workers will start slowly ({error.strerror or error}).")
                    return
            self._ended = asyncio.create_task(self._child.wait())

    def worker(self, argv: Sequence[str], env: Mapping[str, str], on_line: OnLine) -> Child:
        """Return a worker that is not yet started.

        Args:
            argv: How to start it without a zygote.
            env: Its whole environment.
            on_line: Called with each line of its output.
        """
        if self._control is None or not self._fits(env):
            return Child(argv, env, on_line)
        return Copy(argv, env, on_line, control=self._control, module=self._module)

    async def stop(self) -> None:
        """End it, and with it every copy."""
        async with self._renewing:
            await self._end()

    async def _end(self) -> None:
        child, control, ended = self._child, self._control, self._ended
        self._child = self._control = self._ended = None
        if control:
            control.close()
        if child:
            child.kill()  # at once, for this may be cancelled
            await child.stop(0)
        if ended:
            await asyncio.wait({ended})

    def _fits(self, env: Mapping[str, str]) -> bool:
        alive = self._ended is not None and not self._ended.done()
        return alive and self._foreign == _foreign(env)


def _foreign(env: Mapping[str, str]) -> dict[str, str]:
    return {name: env[name] for name in FOREIGN_VARIABLES if name in env}
