"""Server-sent events, as OpenAI's streaming answers are made of."""

import json
from typing import Any

from aiohttp import web


async def open_events(request: web.Request) -> web.StreamResponse:
    """Begin an answer of events."""
    response = web.StreamResponse(headers={"Cache-Control": "no-cache"})
    response.content_type = "text/event-stream"
    await response.prepare(request)
    return response


def event(body: dict[str, Any]) -> bytes:
    """Return one event."""
    return f"data: {json.dumps(body)}\n\n".encode()
