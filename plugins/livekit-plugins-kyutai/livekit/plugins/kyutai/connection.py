"""One connection to a moshi-server, for both directions: its states, and every way it ends.

```
CONNECTING ── HTTP refusal, no route, silence ──────────────▶ error
    │ accepted
WAITING ───── Error "no free channels" ── 100, 200, 400 ms ─▶ CONNECTING, then error 503
    │  └───── Close, loss, other Error, silence ────────────▶ error
    │ Ready
STREAMING ─── Close, loss, nonsense ────────────────────────▶ error
    │ drain()
DRAINING ──── loss, nonsense, silence ──────────────────────▶ error
    │ Close
DONE
```

Leaving the block closes the socket from any state; that is all there is to cancelling, and the only
thing that frees the server's slot.
"""

import asyncio
import enum
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins.kyutai import messages
from livekit.plugins.kyutai.log import logger
from livekit.plugins.kyutai.messages import Failure, Message, ProtocolError, Ready
from livekit.plugins.kyutai.server import MoshiServer

_NO_SLOT = "no free channels"
_BACKOFF = (0.1, 0.2, 0.4)
_STRAY_MESSAGES = 10
"""How many other messages may come before `Ready`."""


class State(enum.Enum):
    """How far a connection is."""

    CONNECTING = enum.auto()
    WAITING = enum.auto()
    STREAMING = enum.auto()
    DRAINING = enum.auto()
    DONE = enum.auto()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What to connect to.

    Attributes:
        path: The module's path, e.g. ``/api/tts_streaming``.
        query: Parameters of the address.
        ends_by_drop: While draining, a TCP connection that just ends is the proper end: the
            recogniser never sends a Close.
    """

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    ends_by_drop: bool = False


class _NoSlot(Exception):
    """The server has no slot now."""


@asynccontextmanager
async def connect(
    server: MoshiServer, endpoint: Endpoint, *, timeout: float
) -> AsyncIterator["Connection"]:
    """Open a connection, wait until it is ready, and close it with the block.

    Args:
        server: Where.
        endpoint: To what.
        timeout: Seconds that the server has to accept, and again to be ready.

    Raises:
        APIError: The server refused, has no slot, cannot be reached or is silent. `retryable` says
            whether another attempt makes sense.
    """
    connection = await open_connection(server, endpoint, timeout=timeout)
    try:
        yield connection
    finally:
        await connection.aclose()


async def open_connection(
    server: MoshiServer, endpoint: Endpoint, *, timeout: float
) -> "Connection":
    """Do as `connect`, for a connection that the caller closes himself."""
    for pause in (*_BACKOFF, None):
        connection = Connection(server, endpoint, timeout)
        try:
            await connection._open()
        except _NoSlot:
            await connection.aclose()
            if pause is None:
                break
            # A slot is freed a step after its connection's end; not all who wait come at once.
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
        except BaseException:
            await connection.aclose()
            raise
        else:
            return connection
    raise APIStatusError(
        f"the moshi-server at {server.url} has no free slot for {endpoint.path}; raise the "
        "batch_size of that module in its configuration, or use another server",
        status_code=503,
    )


class Connection:
    """A ready connection; see `connect`. One task may send while another receives.

    Attributes:
        state: How far it is.
    """

    def __init__(self, server: MoshiServer, endpoint: Endpoint, timeout: float) -> None:
        self.state = State.CONNECTING
        self._server = server
        self._endpoint = endpoint
        self._timeout = timeout
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._patience: float | None = None
        self._limit: asyncio.Timeout | None = None

    async def send(self, message: bytes) -> None:
        """Send one message, as `messages` makes them.

        Raises:
            APIError: The connection is lost, or the server takes nothing any more.
        """
        socket = self._open_socket()
        try:
            async with asyncio.timeout(self._timeout):
                await socket.send_bytes(message)
        except TimeoutError:
            raise APITimeoutError(
                f"the moshi-server at {self._server.url} takes nothing any more"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._server.lost(error) from None

    async def receive(self) -> Message | None:
        """Return the next message; None when the server ended the connection after `drain`.

        Pings are answered only while somebody waits here. Cancelling loses no message.

        Raises:
            APIError: The connection was lost or ended too early, the server sent nonsense or an
                error, or was silent for longer than `expect` allows.
        """
        if self.state is State.DONE:
            return None
        frame = await self._frame()
        if frame.type is aiohttp.WSMsgType.BINARY:
            return self._message(frame.data)
        # By the kind of the message, never by the code: that of a Close without one is 1006 as
        # soon as the server drops the line after it.
        closed = frame.type is aiohttp.WSMsgType.CLOSE
        dropped = frame.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
        if self.state is State.DRAINING and (closed or (dropped and self._endpoint.ends_by_drop)):
            self.state = State.DONE
            return None
        if closed:
            raise APIConnectionError(f"the moshi-server at {self._server.url} ended too early")
        if dropped:
            raise self._server.lost()
        if frame.type is aiohttp.WSMsgType.ERROR:
            raise self._nonsense("a frame came that is no WebSocket's")
        raise self._nonsense("a frame came that is not binary")

    def expect(self, within: float | None) -> None:
        """Limit the silence from now on.

        Args:
            within: Each message must come within that many seconds of the one before, and the next
                one of now; None sets no limit. Pings do not count: a server whose model is stuck
                still sends them.
        """
        self._patience = within
        if self._limit is not None:
            self._limit.reschedule(self._deadline())

    def drain(self, within: float) -> None:
        """Say that nothing more will be sent: the end that comes now is the proper one.

        Args:
            within: As of `expect`.
        """
        self.state = State.DRAINING
        self.expect(within)

    async def aclose(self) -> None:
        """Close the socket, from any state, whoever is cancelled meanwhile."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await asyncio.shield(self._server.farewell(socket))

    async def _open(self) -> None:
        """Go as far as `STREAMING`.

        Raises:
            _NoSlot: The server has no slot now.
            APIError: It failed otherwise.
        """
        endpoint = self._endpoint
        self._socket = await self._server.websocket(
            endpoint.path, endpoint.query, timeout=self._timeout
        )
        self.state = State.WAITING
        self.expect(self._timeout)
        for _ in range(_STRAY_MESSAGES):
            if isinstance(await self.receive(), Ready):
                self.state = State.STREAMING
                self.expect(None)
                return
            logger.debug("a message came before Ready")
        raise self._nonsense("it did not say that it is ready")

    async def _frame(self) -> aiohttp.WSMessage:
        socket = self._open_socket()
        try:
            async with asyncio.timeout_at(self._deadline()) as self._limit:
                return await socket.receive()
        except TimeoutError:
            raise APITimeoutError(
                f"the moshi-server at {self._server.url} sent nothing for {self._patience:.1f} s"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._server.lost(error) from None
        finally:
            self._limit = None

    def _message(self, data: bytes) -> Message:
        try:
            message = messages.decode(data)
        except ProtocolError as error:
            raise self._nonsense(str(error)) from None
        if isinstance(message, Failure):
            if self.state is State.WAITING and message.message == _NO_SLOT:
                raise _NoSlot
            raise APIError(
                f"the moshi-server at {self._server.url} failed: {message.message[:200]}"
            )
        return message

    def _nonsense(self, what: str) -> APIConnectionError:
        return APIConnectionError(
            f"the moshi-server at {self._server.url} broke the protocol: {what}"
        )

    def _open_socket(self) -> aiohttp.ClientWebSocketResponse:
        if self._socket is None:
            raise APIConnectionError("the connection to the moshi-server was closed")
        return self._socket

    def _deadline(self) -> float | None:
        if self._patience is None:
            return None
        return asyncio.get_running_loop().time() + self._patience
