"""What the framework does with language models that an agent must know; fails when it changes.

Each says which code of ours relies on what it pins.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from aiohttp import web
from livekit.agents import APIConnectOptions, APITimeoutError, function_tool, llm
from livekit.plugins import openai

from tests.conformance.kit import deadlines

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0)


@asynccontextmanager
async def language_model(*, answers: bool) -> AsyncIterator[tuple[str, list[Any]]]:
    """Serve chat completions; return the address and the bodies of the requests."""
    asked: list[Any] = []
    leave = asyncio.Event()

    async def chat(request: web.Request) -> web.Response:
        asked.append(await request.json())
        if not answers:
            await leave.wait()
        return web.Response(text="data: [DONE]\n\n", content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", asked
    finally:
        leave.set()
        await runner.cleanup()


async def test_the_timeout_of_the_language_model_is_in_the_connection_options() -> None:
    """`session.build_session` puts ``LLM_TIMEOUT`` there."""
    async with language_model(answers=False) as (url, _):
        model = openai.LLM(
            model="any", base_url=url, api_key="local", timeout=httpx2.Timeout(300.0)
        )
        began = time.perf_counter()
        options = APIConnectOptions(max_retry=0, timeout=0.2)
        with pytest.raises(APITimeoutError):
            async with model.chat(chat_ctx=_hello(), conn_options=options) as stream:
                async for _ in stream:
                    pass
        assert time.perf_counter() - began < deadlines.PATIENCE
        await model.aclose()


@pytest.mark.parametrize(("wish", "strict"), [({}, True), ({"_strict_tool_schema": False}, False)])
async def test_tools_have_a_strict_schema_unless_told_otherwise(wish: Any, strict: bool) -> None:
    """`session.build_session` tells it otherwise."""

    @function_tool
    async def look_up(city: str = "Paris") -> None:
        """Look something up."""

    async with language_model(answers=True) as (url, asked):
        model = openai.LLM(model="any", base_url=url, api_key="local", **wish)
        async with model.chat(chat_ctx=_hello(), tools=[look_up], conn_options=ONCE) as stream:
            async for _ in stream:
                pass
        await model.aclose()
    function = asked[0]["tools"][0]["function"]
    assert bool(function.get("strict")) is strict
    assert ("city" in function["parameters"].get("required", [])) is strict


def _hello() -> llm.ChatContext:
    context = llm.ChatContext.empty()
    context.add_message(role="user", content="hello")
    return context
