"""A TCP and Unix-socket proxy that breaks connections in every way a network can."""

import asyncio
import socket
from functools import partial
from pathlib import Path
from types import TracebackType

from tests.conformance.kit.proxy_link import Faults, Link

_BACKLOG = 200


class FaultProxy(Faults):
    """Stands between client and server; see `Faults` for what it can be set to.

    Attributes:
        connections: How many connections came so far.
    """

    def __init__(self, upstream: str, *, listen: Path | None = None) -> None:
        """Prepare a proxy.

        Args:
            upstream: The server, ``http://HOST:PORT`` or ``unix:PATH``.
            listen: Unix socket to listen on; None takes a TCP port on loopback.
        """
        super().__init__()
        self.connections = 0
        self._upstream = upstream
        self._listen = listen
        self._port = 0
        self._listener: socket.socket | None = None
        self._acceptor: asyncio.Task[None] | None = None
        self._links: dict[Link, asyncio.Task[None]] = {}

    @property
    def address(self) -> str:
        """Where clients connect, ``http://HOST:PORT`` or ``unix:PATH``."""
        return f"unix:{self._listen}" if self._listen else f"http://127.0.0.1:{self._port}"

    @property
    def open_connections(self) -> int:
        """How many clients are connected now."""
        return sum(not link.client_gone for link in self._links)

    async def __aenter__(self) -> "FaultProxy":
        await self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.refuse()
        await asyncio.gather(*self._links.values(), return_exceptions=True)

    async def refuse(self) -> None:
        """Refuse new connections and reset the open ones."""
        if self._listener and self._acceptor:
            self._acceptor.cancel()
            await asyncio.wait([self._acceptor])
            self._listener.close()
            self._listener = self._acceptor = None
        self.reset()

    async def accept(self) -> None:
        """Accept connections again, at the same address, and pass everything on."""
        self.holed = False
        if self._listener is None:
            await self._start()

    def swallow(self) -> None:
        """Pass nothing on from now on, on any connection: a black hole."""
        self.holed = True

    def reset(self) -> None:
        """Break every open connection with a reset; a Unix socket's client sees an end."""
        for link in list(self._links):
            link.reset()

    def end(self) -> None:
        """Close every open connection in good order, though in mid-stream."""
        for link in list(self._links):
            link.end()

    def junk(self) -> None:
        """Send every client what makes no sense, then close the connections."""
        for link in list(self._links):
            link.junk()

    def half_close(self) -> None:
        """Tell clients that nothing more comes, and go on listening to them."""
        for link in list(self._links):
            link.half_close()

    async def _start(self) -> None:
        self._listener = listener = self._open_listener()
        self._acceptor = asyncio.create_task(self._accept(listener), name="fault-proxy-accept")

    def _open_listener(self) -> socket.socket:
        if self._listen:
            self._listen.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self._listen))
        else:
            listener = socket.create_server(("127.0.0.1", self._port))
            self._port = listener.getsockname()[1]
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener

    async def _accept(self, listener: socket.socket) -> None:
        # Not asyncio's own server: closing that one forgets, open, who was accepted just before.
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            reader, writer = await asyncio.open_connection(sock=client)
            self.connections += 1
            link = Link(self, reader, writer, self._cut)
            self._links[link] = task = link.start(self._upstream)
            task.add_done_callback(partial(self._forget, link))

    def _forget(self, link: Link, _: "asyncio.Task[None]") -> None:
        del self._links[link]

    def _cut(self) -> None:
        self.cut_after = None
        {"reset": self.reset, "end": self.end, "hole": self.swallow, "junk": self.junk}[self.cut]()
