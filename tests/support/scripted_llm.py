"""A language model that always answers the same, at a model's pace."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from aiohttp import web

from agent.bench.voice import chat_stream
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

    async def answer(request: web.Request) -> AsyncGenerator[str, None]:
        messages = (await request.json())["messages"]
        question = str(next(m["content"] for m in reversed(messages) if m["role"] == "user"))
        word = next((word for word in answers if word.lower() in question.lower()), "")
        await asyncio.sleep(thinks.get(word, 0.0))
        for piece in answers.get(word, "Please say that again.").split():
            yield f"{piece} "
            await asyncio.sleep(1 / _WORDS_PER_SECOND)

    app = chat_stream.application("script", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        await runner.cleanup()
