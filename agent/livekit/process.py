"""Running a helper program to its end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence


async def run_tool(
    argv: Sequence[str], env: Mapping[str, str] | None = None, *, timeout: float | None = None
) -> tuple[int, str]:
    """Run ``argv`` and return its exit status and what it printed.

    When it takes too long or the caller is cancelled, it is killed with everything it started.

    Raises:
        OSError: It could not be started.
        TimeoutError: It took longer than ``timeout`` seconds.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=None if env is None else {**os.environ, **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace").strip()
