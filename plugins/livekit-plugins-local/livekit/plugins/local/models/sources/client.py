"""Asking a registry's own command-line client."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from livekit.plugins.local.models.errors import Refused

CLIENT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a finished program left."""

    status: int
    stdout: str
    stderr: str


RunClient = Callable[[Sequence[str]], Awaitable[Answer]]


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
