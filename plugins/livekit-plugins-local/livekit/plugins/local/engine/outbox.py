"""What a stream sends, in order, while its next audio is being made."""

import asyncio
from types import TracebackType

from aiohttp import web

# Beyond this, whoever speaks waits for a client that reads slowly.
_MOST_MESSAGES = 64


class Outbox:
    """Sends messages and audio to one client, on a task of its own.

    Use it as a context manager: what was put in is sent before it closes, after a failure, too; a
    cancellation drops it.
    """

    def __init__(self, socket: web.WebSocketResponse) -> None:
        """Args: socket: Where to."""
        self._socket = socket
        self._queue: asyncio.Queue[str | bytes | None] = asyncio.Queue(_MOST_MESSAGES)
        self._not_before = 0.0
        self._sending: asyncio.Task[None]

    def hold(self, seconds: float) -> None:
        """Send nothing of what is put in from now on before these seconds have passed."""
        self._not_before = asyncio.get_running_loop().time() + seconds if seconds else 0.0

    async def put(self, message: str | bytes) -> None:
        """Send text or audio after everything before it."""
        await self._queue.put(message)

    async def __aenter__(self) -> "Outbox":
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None or isinstance(error, Exception):
                self._not_before = 0.0 if error else self._not_before
                await self._queue.put(None)
                await self._sending
        finally:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        while (message := await self._queue.get()) is not None:
            if (wait := self._not_before - loop.time()) > 0:
                await asyncio.sleep(wait)
            if isinstance(message, bytes):
                await self._socket.send_bytes(message)
            else:
                await self._socket.send_str(message)
