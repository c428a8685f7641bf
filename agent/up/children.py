"""A child process: its output line by line, and its end, whatever it takes."""

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Protocol

PR_SET_PDEATHSIG = 1  # linux/prctl.h
CHUNK = 65_536
# A child's own children may keep the pipe open; its last words come within this time.
LAST_WORDS = 0.5

OnLine = Callable[[str], None]


class Process(Protocol):
    """What is asked of a running process."""

    @property
    def pid(self) -> int:
        """Its id, and that of its group."""

    @property
    def returncode(self) -> int | None:
        """Its exit status (negative: the signal), or None while it runs."""

    async def wait(self) -> int:
        """Wait for its end and return the exit status."""

    def terminate(self) -> None:
        """Send SIGTERM; raises `ProcessLookupError` if it is gone."""


class Child:
    """A process that leads a process group of its own.

    Ctrl-C in the terminal therefore reaches only its parent, which stops it in good order; and
    everything that it starts can be stopped with it. On Linux it gets SIGTERM when the parent
    dies, however that happens. It stays in the session of its parent: among sessions the cores are
    shared equally, whatever each process would leave to the others (`agent.priority`).

    Attributes:
        last_line: The last line that it printed, or an empty string.
    """

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        on_line: OnLine,
        *,
        stdin: int = asyncio.subprocess.DEVNULL,
    ) -> None:
        """Prepare the process.

        Args:
            argv: Program and arguments.
            env: Its whole environment.
            on_line: Called with each line of its standard output and error.
            stdin: Descriptor of its standard input.
        """
        self.last_line = ""
        self._argv = argv
        self._env = env
        self._on_line = on_line
        self._stdin = stdin
        self._process: Process | None = None
        self._output: asyncio.BaseTransport | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self._process is not None, "not started"
        return self._process.pid

    async def start(self) -> None:
        """Start the process.

        Raises:
            OSError: It cannot be started.
        """
        # A pipe of our own: asyncio's would make `wait` wait for whoever else holds its other end.
        read_end, write_end = os.pipe()
        with os.fdopen(write_end, "wb") as output:
            reader = asyncio.StreamReader()
            self._output, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb")
            )
            self._reading = asyncio.create_task(self._read(reader))
            self._process = await self._spawn(output)

    async def _spawn(self, output: BinaryIO) -> Process:
        return await asyncio.create_subprocess_exec(
            *self._argv,
            env=self._env,
            stdin=self._stdin,
            stdout=output,
            stderr=output,
            process_group=0,
            preexec_fn=_die_with_parent(),
        )

    async def _read(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await reader.read(CHUNK):
            *lines, rest = re.split(rb"[\r\n]+", rest + chunk)
            for line in lines:
                self._take(line)
        self._take(rest)

    def _take(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if text:
            self.last_line = text
            self._on_line(text)

    async def wait(self) -> int:
        """Wait until the process has ended and return its exit status (negative: the signal)."""
        assert self._process is not None and self._reading is not None, "not started"
        status = await self._process.wait()
        await asyncio.wait({self._reading}, timeout=LAST_WORDS)
        return status

    async def stop(self, grace: float) -> None:
        """End the process, if it was started, and everything that it started.

        Args:
            grace: Seconds it has to end by itself after SIGTERM, before SIGKILL.
        """
        if self._process is not None:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(grace):
                        await self._process.wait()
            self.kill()
            await self.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
        if self._output is not None:
            self._output.close()

    def kill(self) -> None:
        """Send SIGKILL to whatever is left of the process group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _die_with_parent() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    # Looked up here: between fork and exec as little as possible may happen.
    prctl = ctypes.PyDLL(None).prctl
    parent = os.getpid()

    def leash() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return leash
