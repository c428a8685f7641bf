"""Asking a registry's own command-line client."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from livekit.plugins.local.models.errors import Refused

from .base import UNREACHABLE_SECONDS

CLIENT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a finished program left."""

    status: int
    stdout: str
    stderr: str


RunClient = Callable[[Sequence[str]], Awaitable[Answer]]


class Registry:
    """One registry, as seen from here: asked by one at a time, and not again while out of reach.

    Several models that are wanted at once so learn from the first that there is no network.
    """

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._unreachable: tuple[float, str] | None = None

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Ask in the block, and raise `Refused` in it.

        Raises:
            Refused: It could not be reached a moment ago.
        """
        async with self._one_at_a_time:
            if self._unreachable and time.monotonic() < self._unreachable[0]:
                raise Refused("offline", self._unreachable[1])
            try:
                yield
            except Refused as refusal:
                if refusal.code == "offline":
                    self._unreachable = (time.monotonic() + UNREACHABLE_SECONDS, refusal.reason)
                raise


async def run_client(command: Sequence[str]) -> Answer:
    """Run a program to its end.

    Args:
        command: The program and its arguments.

    Raises:
        Refused: There is no such program, or it took longer than `CLIENT_SECONDS`.
    """
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=null, stdout=pipe, stderr=pipe
        )
    except FileNotFoundError:
        raise Refused("no_client", f"{command[0]} is not installed") from None
    try:
        async with asyncio.timeout(CLIENT_SECONDS):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        reason = f"{command[0]} did not answer within {CLIENT_SECONDS:g} s"
        raise Refused("timeout", reason) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    output, errors = (stream.decode(errors="replace") for stream in (stdout, stderr))
    return Answer(process.returncode or 0, output, errors)
