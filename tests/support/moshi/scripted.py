"""A server whose WebSockets do as a script says, whether a moshi-server would do so or not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgpack
from aiohttp import web
from livekit.plugins.kyutai.server import MoshiServer

from tests.support.moshi.fake_tts import PATH

Script = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def scripted(*scripts: Script, listen: str = PATH) -> AsyncIterator[MoshiServer]:
    """A server whose connections do as the scripts say, in turn; the last one repeats."""
    came = 0

    async def serve(request: web.Request) -> web.WebSocketResponse:
        nonlocal came
        socket = web.WebSocketResponse(timeout=0.1, max_msg_size=0)
        await socket.prepare(request)
        script = scripts[min(came, len(scripts) - 1)]
        came += 1
        await script(socket)
        if request.transport:
            request.transport.close()
        return socket

    app = web.Application()
    app.router.add_get(listen, serve)
    async with serving(app) as address:
        server = MoshiServer(address, "public_token")
        yield server
        await server.aclose()


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve an application, and give its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def sends(*frames: object, then: str = "wait") -> Script:
    """Send frames, packed unless they are bytes, or text; then wait, close, or just end."""

    async def script(socket: web.WebSocketResponse) -> None:
        for frame in frames:
            if isinstance(frame, str):
                await socket.send_str(frame)
            else:
                data = frame if isinstance(frame, bytes) else msgpack.packb(frame)
                await socket.send_bytes(data)
        if then == "close":
            await socket.close()
        elif then == "wait":
            async for _ in socket:
                continue

    return script
