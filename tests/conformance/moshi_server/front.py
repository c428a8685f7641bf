"""What stands before the server under test: a relay that refuses, counts and cuts connections.

The real server cannot be told to refuse, nor to lose one connection; a proxy before it does both.
"""

import asyncio
from urllib.parse import urlsplit

_CHUNK = 64 * 1024


class Front:
    """Relays connections to a server.

    Attributes:
        requests: How many connections came since the last reset.
        refusals: How many are refused from now on, -1 for all.
        refuse_status: With which HTTP status.
    """

    def __init__(self, upstream: str) -> None:
        self.requests = 0
        self.refusals = 0
        self.refuse_status = 503
        self._upstream = urlsplit(upstream)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._links)

    async def start(self) -> str:
        """Listen, and return the address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def cut(self) -> None:
        """Close every connection, in the middle of whatever it is at."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def aclose(self) -> None:
        """Stop listening, and cut what is open."""
        if self._server:
            self._server.close()
        await self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests += 1
        task = asyncio.current_task()
        assert task
        self._links.add(task)
        task.add_done_callback(self._links.discard)
        try:
            if self.refusals:
                self.refusals -= 1
                await self._refuse(reader, writer)
            else:
                await self._relay(reader, writer)
        except (OSError, asyncio.CancelledError):
            # Cut: the streams of this version report the cancellation of their handler as an error.
            return
        finally:
            writer.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {self.refuse_status} No\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = self._upstream
        above, up = await asyncio.open_connection(upstream.hostname, upstream.port)
        ways = [asyncio.create_task(_copy(reader, up)), asyncio.create_task(_copy(above, writer))]
        try:
            # Either end is the end: nobody here goes on after half of one.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # No waiting here: whoever cuts cancels this task, perhaps in this very place.
            up.close()
            for way in ways:
                way.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
