"""One connection through the proxy, and what goes wrong on its way."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

Cut = Literal["reset", "end", "hole", "junk"]
_Way = asyncio.Queue[tuple[float, bytes]]

_CHUNK = 64 * 1024
_IN_FLIGHT = 64
"""Pieces that may be on their way at once, in one direction."""
_SMOOTH_SECONDS = 0.02
"""A bandwidth is kept within such windows: data trickles instead of coming in bursts."""
# Closing with this option sends a reset instead of an end of stream.
_ABORT = struct.pack("ii", 1, 0)
_JUNK = b"\xff\x00junk\r\n\r\n" * 8


@dataclass
class Faults:
    """What is wrong with the network; changes count for open connections too.

    Attributes:
        latency: Seconds by which each piece of data is late, either way.
        bandwidth: Bytes per second to each client; None is unlimited.
        slice_bytes: Largest piece that is written to a client at once; None passes on what comes.
        cut_after: Bytes to the clients, over all connections, after which `cut` happens once.
        cut: ``reset``, ``end`` (both directions), ``hole``, or ``junk``: what no server sends.
        holed: Nothing is passed on.
        passed: Bytes that went to the clients so far.
    """

    latency: float = 0.0
    bandwidth: float | None = None
    slice_bytes: int | None = None
    cut_after: int | None = None
    cut: Cut = "reset"
    holed: bool = False
    passed: int = 0

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Split data as it goes to a client; changes count for what is left of it."""
        at = 0
        while at < len(data):
            size = self.slice_bytes or len(data)
            if self.bandwidth:
                size = min(size, max(1, round(self.bandwidth * _SMOOTH_SECONDS)))
            yield data[at : at + size]
            at += size


class Link:
    """A client's connection, and the one to the server that belongs to it.

    Attributes:
        client_gone: The client has closed its end.
    """

    def __init__(
        self,
        faults: Faults,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_cut: Callable[[], None],
    ) -> None:
        """Take a client.

        Args:
            faults: What goes wrong.
            reader: From the client.
            writer: To the client.
            on_cut: Called when `Faults.cut_after` is reached.
        """
        self.client_gone = False
        self._faults = faults
        self._reader = reader
        self._client = writer
        self._server: asyncio.StreamWriter | None = None
        self._on_cut = on_cut
        self._half_closed = False
        self._task: asyncio.Task[None] | None = None
        # So that what was written has left when `drain` returns; a cut comes after it.
        writer.transport.set_write_buffer_limits(high=0)

    def start(self, upstream: str) -> "asyncio.Task[None]":
        """Pass data on until both sides are done; if one fails, so does the other."""
        self._task = asyncio.create_task(self._run(upstream), name="fault-proxy")
        return self._task

    def reset(self) -> None:
        """Break both connections with a reset.

        A Unix socket knows no reset: its client sees an end, or an error if it was sending.
        """
        self._abort()
        self._stop()

    def end(self) -> None:
        """Close both connections in good order, though in mid-stream."""
        self._close()
        self._stop()

    def junk(self) -> None:
        """Send the client what makes no sense, then close."""
        self._client.write(_JUNK)
        self.end()

    def half_close(self) -> None:
        """Tell the client that nothing more comes, and go on listening to it."""
        self._half_closed = True
        _write_eof(self._client)

    async def _run(self, upstream: str) -> None:
        try:
            reader, self._server = await _connect(upstream)
            up, down = _Way(_IN_FLIGHT), _Way(_IN_FLIGHT)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._arrive(self._reader, up))
                group.create_task(self._depart(up, self._server, self._pass_up))
                group.create_task(self._arrive(reader, down))
                group.create_task(self._depart(down, self._client, self._pass_down))
        except* OSError:
            self._abort()
        finally:
            self._close()

    async def _arrive(self, reader: asyncio.StreamReader, way: _Way) -> None:
        """Note when each piece of data is due; an empty one is the end."""
        loop = asyncio.get_running_loop()
        data = b"."
        while data:
            data = await reader.read(_CHUNK)
            if not data and reader is self._reader:
                self.client_gone = True
            await way.put((loop.time() + self._faults.latency, data))

    async def _depart(
        self,
        way: _Way,
        writer: asyncio.StreamWriter,
        pass_on: Callable[[bytes], Awaitable[None]],
    ) -> None:
        """Pass on each piece of data when it is due, until the end."""
        loop = asyncio.get_running_loop()
        while True:
            due, data = await way.get()
            if (late := due - loop.time()) > 0:
                await asyncio.sleep(late)
            if not data:
                break
            await pass_on(data)
        if not self._faults.holed:
            _write_eof(writer)

    async def _pass_up(self, data: bytes) -> None:
        if self._server and not self._faults.holed:
            self._server.write(data)
            await self._server.drain()

    async def _pass_down(self, data: bytes) -> None:
        faults = self._faults
        for piece in faults.pieces(data):
            if faults.holed or self._half_closed:
                return
            if (cut := faults.cut_after) is not None:
                piece = piece[: max(0, cut - faults.passed)]
            self._client.write(piece)
            faults.passed += len(piece)
            await self._client.drain()
            if cut is not None and faults.passed >= cut and faults.cut_after is not None:
                self._on_cut()
                return
            await asyncio.sleep(len(piece) / faults.bandwidth if faults.bandwidth else 0)
            # After one more turn of the loop a client in this process has read the slice alone.
            await asyncio.sleep(0)

    def _stop(self) -> None:
        if self._task:
            self._task.cancel()

    def _abort(self) -> None:
        for writer in (self._client, self._server):
            if writer:
                _reset(writer)

    def _close(self) -> None:
        for writer in (self._client, self._server):
            if writer:
                writer.close()


async def _connect(upstream: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if upstream.startswith("unix:"):
        return await asyncio.open_unix_connection(upstream.removeprefix("unix:"))
    url = urlsplit(upstream)
    return await asyncio.open_connection(url.hostname, url.port)


def _write_eof(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()
