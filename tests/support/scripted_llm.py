"""A language model that always answers the same, at a model's pace."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from aiohttp import web

from tests.support.ports import free_port

_WORDS_PER_SECOND = 20


@asynccontextmanager
async def run_llm(
    answers: Mapping[str, str], *, thinks: Mapping[str, float] = MappingProxyType({})
) -> AsyncIterator[str]:
    """Serve, and give the base URL.

    Args:
        answers: By a word of the question.
        thinks: Seconds before the first word of some of them, likewise.
    """

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "script", "object": "model"}]})

    async def complete(request: web.Request) -> web.StreamResponse:
        messages = (await request.json())["messages"]
        question = str(next(m["content"] for m in reversed(messages) if m["role"] == "user"))
        word = next((word for word in answers if word.lower() in question.lower()), "")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(thinks.get(word, 0.0))
        for piece in answers.get(word, "Please say that again.").split():
            await _send(response, {"content": f"{piece} "}, None)
            await asyncio.sleep(1 / _WORDS_PER_SECOND)
        await _send(response, {}, "stop")
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        await runner.cleanup()


async def _send(response: web.StreamResponse, delta: Mapping[str, str], finish: str | None) -> None:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
    chunk = {
        "id": "chatcmpl-script",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "script",
        "choices": [choice],
    }
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
