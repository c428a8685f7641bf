"""LiveKit's signalling through our HTTPS: a secure page may open only secure WebSockets.

The paths are those of LiveKit's client protocol: a WebSocket each, and beside it a question over
HTTP that clients ask when the WebSocket fails. The server itself stays on loopback and checks the
token, so nothing is let through here that it would not let through.
"""

import asyncio
import weakref
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, hdrs, web
from yarl import URL

from agent.web.access import LiveKitAccess

_SOCKET_PATHS: Final = ("/rtc", "/rtc/v1")
_QUESTION_PATHS: Final = ("/rtc/validate", "/rtc/v1/validate")
_CONNECT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=None)
_ANSWER: Final = aiohttp.ClientTimeout(total=10.0)
# Seconds that the other side has to confirm the end of a WebSocket.
_CLOSE_SECONDS: Final = 1.0
_UNREACHABLE: Final = "The LiveKit server does not answer."

_AnySocket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


class Signalling:
    """Passes signalling on to a LiveKit server, in both directions.

    Args:
        livekit: The server, as this process reaches it.
    """

    def __init__(self, livekit: LiveKitAccess) -> None:
        self._livekit = livekit
        self._session: aiohttp.ClientSession
        self._open: weakref.WeakSet[web.WebSocketResponse] = weakref.WeakSet()

    def add_routes(self, app: web.Application) -> None:
        """Serve the paths, and close what is open when the application stops."""
        app.cleanup_ctx.append(self._hold_session)
        app.on_shutdown.append(self._close_all)
        for path in _SOCKET_PATHS:
            app.router.add_get(path, self._socket)
        for path in _QUESTION_PATHS:
            app.router.add_get(path, self._question)

    async def _hold_session(self, app: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(timeout=_CONNECT) as self._session:
            yield

    async def _close_all(self, app: web.Application) -> None:
        for socket in set(self._open):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        client = web.WebSocketResponse(timeout=_CLOSE_SECONDS)
        if not client.can_prepare(request):
            raise web.HTTPUpgradeRequired(text="This is the address of a WebSocket.")
        try:
            server = await self._session.ws_connect(
                _target(self._livekit.url, request),
                headers=_credentials(request),
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
            )
        except aiohttp.WSServerHandshakeError as error:
            return web.Response(status=error.status)
        except (aiohttp.ClientError, TimeoutError):
            return web.Response(status=502, text=_UNREACHABLE)
        async with server:
            await client.prepare(request)
            self._open.add(client)
            await _join(client, server)
            await client.close()
        return client

    async def _question(self, request: web.Request) -> web.Response:
        try:
            async with self._session.get(
                _target(self._livekit.http_url, request),
                headers=_credentials(request),
                timeout=_ANSWER,
            ) as answer:
                return web.Response(
                    status=answer.status,
                    body=await answer.read(),
                    content_type=answer.content_type,
                    charset=answer.charset,
                )
        except (aiohttp.ClientError, TimeoutError):
            return web.Response(status=502, text=_UNREACHABLE)


def _target(base: URL, request: web.Request) -> URL:
    return base.joinpath(request.path.removeprefix("/")).with_query(request.query)


def _credentials(request: web.Request) -> dict[str, str]:
    """Return the header in which some clients send the token; others put it into the query."""
    value = request.headers.get(hdrs.AUTHORIZATION)
    return {} if value is None else {hdrs.AUTHORIZATION: value}


async def _join(one: _AnySocket, other: _AnySocket) -> None:
    """Pass messages both ways until one side is gone."""
    pumps = {asyncio.create_task(_pump(one, other)), asyncio.create_task(_pump(other, one))}
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.wait(pumps)
    for pump in pumps:
        if not pump.cancelled():
            pump.result()


async def _pump(source: _AnySocket, sink: _AnySocket) -> None:
    try:
        async for message in source:
            if message.type is WSMsgType.BINARY:
                await sink.send_bytes(message.data)
            elif message.type is WSMsgType.TEXT:
                await sink.send_str(message.data)
    except ConnectionResetError:
        pass  # the sink is gone, which the other direction notices as well
