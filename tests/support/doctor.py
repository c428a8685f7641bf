"""What the doctor examines, in the states in which it may find it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from agent.settings import Settings
from tests.support.ports import free_port

Handler = Callable[[web.Request], Any]


def settings(**values: Any) -> Settings:
    """Settings of this machine's defaults, whatever its environment says, with some values."""
    plain = Settings.model_construct()
    return plain.model_copy(update=values)


@asynccontextmanager
async def serve(*routes: tuple[str, str, Handler]) -> AsyncIterator[str]:
    """Serve, and give ``HOST:PORT``; each route is a method, a path and what answers."""
    app = web.Application()
    for method, path, handler in routes:
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def answer(status: int, text: str, **headers: str) -> Handler:
    """Return a handler that always answers the same."""

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, headers=headers)

    return handle


async def never(_: web.Request) -> web.Response:
    """Answer nothing, for longer than anybody waits."""
    await asyncio.sleep(3600)
    raise AssertionError


def refusal(status: int, message: str) -> Handler:
    """Return a handler that refuses as OpenAI's API does."""
    return answer(
        status, json.dumps({"error": {"message": message}}), **{"Content-Type": "application/json"}
    )


@asynccontextmanager
async def llm(
    *, chat: Handler | None = None, models: Handler | None = None, tool: str | None = None
) -> AsyncIterator[Settings]:
    """Serve a language model; give the settings that name it.

    Args:
        chat: Answers ``/chat/completions``; by default words, and ``tool`` as a tool call.
        models: Answers ``/models``; by default with the model ``m``.
        tool: Name of a tool that it calls when it is offered tools.
    """

    async def listed(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "m", "object": "model"}]})

    async def complete(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        return await _stream(request, tool if body.get("tools") else None)

    routes = [
        ("GET", "/v1/models", models or listed),
        ("POST", "/v1/chat/completions", chat or complete),
    ]
    async with serve(*routes) as host:
        yield settings(llm_base_url=f"http://{host}/v1", llm_model="m")


def _object(kind: str, **choice: Any) -> dict[str, Any]:
    choices = [{"index": 0, "finish_reason": None, **choice}]
    return {"id": "1", "object": kind, "created": 0, "model": "m", "choices": choices}


async def _stream(request: web.Request, tool: str | None) -> web.StreamResponse:
    deltas: list[dict[str, Any]] = [{"content": word} for word in "one two three four".split()]
    if tool:
        call = {"name": tool, "arguments": "{}"}
        deltas = [{"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": call}]}]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for delta in deltas:
        chunk = _object("chat.completion.chunk", delta={"role": "assistant", **delta})
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await asyncio.sleep(0.01)
    await response.write(b"data: [DONE]\n\n")
    return response
