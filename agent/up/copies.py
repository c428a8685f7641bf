"""A child process that is a copy of `agent.up.zygote`; that module says how it is asked for."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from agent.up.children import Child, OnLine, Process

# The zygote answers when it has imported everything; by then an ordinary worker would have too.
_PATIENCE = 20.0


class Copy(Child):
    """A worker that is a copy of the zygote, or an ordinary one if that is gone."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        on_line: OnLine,
        *,
        control: socket.socket,
        module: str,
    ) -> None:
        """Prepare it.

        Args:
            argv: How to start the ordinary one.
            env: Its whole environment.
            on_line: Called with each line of its output.
            control: Where the zygote takes requests.
            module: What the copy runs.
        """
        super().__init__(argv, env, on_line)
        self._control = control
        self._wanted = json.dumps({"module": module, "env": dict(env)}).encode()

    async def _spawn(self, output: BinaryIO) -> Process:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"+"], [output.fileno(), theirs.fileno()])
        except OSError:
            ours.close()
            return await super()._spawn(output)
        reader, writer = await asyncio.open_connection(sock=ours)
        pid = b""
        try:
            async with asyncio.timeout(_PATIENCE):
                pid = await reader.readline()
        except OSError:  # it died, or takes too long
            pass
        finally:
            if not pid:
                writer.close()  # a copy that comes all the same is told nothing, and ends
        if not pid:
            return await super()._spawn(output)
        # From here on nothing may be waited for: the copy goes to work, and must have a master.
        writer.write(self._wanted)
        writer.write_eof()
        return _Process(int(pid), reader, writer)


class _Process:
    """A process of which the zygote tells when it has ended."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._follow(reader, writer))

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        os.kill(self.pid, signal.SIGTERM)

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        try:
            status = await reader.readline()
        except OSError:  # the zygote ended with something unread
            status = b""
        writer.close()
        # Without the zygote it gets SIGTERM, and nobody learns what became of it.
        self.returncode = int(status) if status else -signal.SIGTERM
        return self.returncode
