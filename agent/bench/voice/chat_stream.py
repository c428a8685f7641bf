"""The other side of OpenAI's streamed chat completions, for servers that answer by a script."""

import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing

from aiohttp import web


def application(
    model: str,
    answer: Callable[[web.Request], AsyncGenerator[str, None]],
    follows: Callable[[str], Awaitable[Mapping[str, float]]] | None = None,
) -> web.Application:
    """Return a server of one model.

    Args:
        model: Its name.
        answer: Gives the pieces of the answer to a request, when it is their time.
        follows: Gives the probabilities of what follows a message; the server is a vLLM then.
    """
    owner = "vllm" if follows else "nobody"
    card = {"id": model, "object": "model", "created": 0, "owned_by": owner}

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [card]})

    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if follows and body.get("continue_final_message"):
            likely = await follows(body["messages"][-1]["content"])
            return web.json_response(_likely(model, likely))
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


def _likely(model: str, follows: Mapping[str, float]) -> dict[str, object]:
    likely = [
        {"token": token, "logprob": math.log(share), "bytes": list(token.encode())}
        for token, share in sorted(follows.items(), key=lambda each: -each[1])
    ]
    content = [{**likely[0], "top_logprobs": likely}]
    return {
        "id": f"chatcmpl-{model}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": likely[0]["token"]},
                "logprobs": {"content": content},
                "finish_reason": "length",
            }
        ],
    }


def _chunk(model: str, delta: Mapping[str, str], finish: str | None) -> bytes:
    chunk = {
        "id": f"chatcmpl-{model}",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}],
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()
