"""The other side of OpenAI's streamed chat completions, for servers that answer by a script."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from aiohttp import web


def application(
    model: str, answer: Callable[[web.Request], AsyncGenerator[str, None]]
) -> web.Application:
    """Return a server of one model.

    Args:
        model: Its name.
        answer: Gives the pieces of the answer to a request, when it is their time.
    """

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": model, "object": "model"}]})

    async def complete(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async with aclosing(answer(request)) as pieces:
            async for piece in pieces:
                await response.write(_chunk(model, {"content": piece}, None))
        await response.write(_chunk(model, {}, "stop"))
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", complete)
    return app


def _chunk(model: str, delta: Mapping[str, str], finish: str | None) -> bytes:
    chunk = {
        "id": f"chatcmpl-{model}",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()
