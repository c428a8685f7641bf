"""``GET /readyz``: what a process says of itself, once or for as long as somebody listens.

The answer is the JSON of `Readiness.as_dict`, with status 200 when the process can serve and 503
otherwise. With ``?watch`` it is a stream of server-sent events, each with the same JSON: one at
once, and one whenever something changes.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable

from aiohttp import web

from .readiness import Readiness

PATH = "/readyz"
WATCH = f"{PATH}?watch"
BEAT_SECONDS = 2.0
"""A stream is never silent for longer, so that a listener notices when its other end hangs."""

MOST_LISTENERS = 200
"""Whoever comes after them is answered once: anybody who reaches the page may listen."""

_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that collects the answer first would never pass it on
}


class Readyz:
    """Serves one `Readiness`.

    Args:
        readiness: What is told.
        outsider: Whether who asks is told the states alone, without the sentences, which may name
            places on this machine.
    """

    def __init__(
        self,
        readiness: Readiness,
        outsider: Callable[[web.Request], bool] = lambda _: False,
    ) -> None:
        self._readiness = readiness
        self._outsider = outsider
        self._closing = asyncio.Event()
        self._listeners = 0

    def add_routes(self, app: web.Application) -> None:
        """Serve `PATH`; streams end when the application does."""
        app.router.add_get(PATH, self.answer)
        app.on_shutdown.append(self.close)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for `PATH`."""
        if "watch" in request.query and self._listeners < MOST_LISTENERS:
            self._listeners += 1
            try:
                return await self._stream(request)
            finally:
                self._listeners -= 1
        body = self._readiness.as_dict(terse=self._outsider(request))
        return web.json_response(body, status=200 if self._readiness.ready else 503)

    async def close(self, _: web.Application) -> None:
        """End the streams: the application stops."""
        self._closing.set()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        told, terse = "", self._outsider(request)
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            with contextlib.suppress(ConnectionError):  # the listener has gone
                while not closing.done():
                    changed = asyncio.ensure_future(self._readiness.next_change().wait())
                    try:
                        body = json.dumps(self._readiness.as_dict(terse=terse))
                        await response.write(b":\n\n" if body == told else _event(body))
                        told = body
                        await asyncio.wait(
                            {changed, closing},
                            timeout=BEAT_SECONDS,
                            return_when=asyncio.FIRST_COMPLETED,
                        )
                    finally:
                        changed.cancel()
        finally:
            closing.cancel()
        return response


def _event(body: str) -> bytes:
    return f"data: {body}\n\n".encode()
