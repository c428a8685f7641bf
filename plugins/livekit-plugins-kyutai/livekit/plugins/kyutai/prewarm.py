"""A connection that is opened before there is anything to send."""

import asyncio

from livekit.agents import APIError
from livekit.plugins.kyutai.connection import Connection, Endpoint, open_connection
from livekit.plugins.kyutai.log import logger
from livekit.plugins.kyutai.server import MoshiServer


class Prewarmed:
    """Opens a connection and answers the server's pings until it is taken.

    It holds one of the server's slots from the start. A failure is none: whoever takes the
    connection then opens one himself, and hears of the trouble if it lasts.
    """

    def __init__(self, server: MoshiServer, endpoint: Endpoint, timeout: float) -> None:
        self._connection: Connection | None = None
        self._opened = asyncio.Event()
        self._task = asyncio.create_task(
            self._hold(server, endpoint, timeout), name="kyutai-prewarm"
        )

    async def take(self) -> Connection | None:
        """Return the connection, which is the caller's to close; None if there is none."""
        await self._opened.wait()
        self._task.cancel()
        # No await after it is taken: until then `aclose` closes it.
        await asyncio.wait([self._task])
        connection, self._connection = self._connection, None
        return connection

    async def aclose(self) -> None:
        """Close the connection, unless it was taken."""
        self._task.cancel()
        await asyncio.wait([self._task])
        connection, self._connection = self._connection, None
        if connection:
            await connection.aclose()

    async def _hold(self, server: MoshiServer, endpoint: Endpoint, timeout: float) -> None:
        try:
            self._connection = await open_connection(server, endpoint, timeout=timeout)
            self._opened.set()
            # Nothing is due before there is text; what comes is the end, or of no use.
            while await self._connection.receive():
                continue
        except APIError as error:
            logger.debug("a connection that was opened early is gone: %s", error)
            await self._discard()
        finally:
            self._opened.set()

    async def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            await connection.aclose()
