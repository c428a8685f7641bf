"""The embedded language model for benchmarks: starting one of our own."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent.bench.starting import until_ready
from agent.llm.llama import LlamaServer
from agent.ports import spare_port
from agent.readiness_feed import first, llm_feed
from agent.settings import Settings
from agent.up.children import Child
from agent.up.large_pages import with_large_pages

_GRACE_SECONDS = 10.0


@asynccontextmanager
async def run_llm(settings: Settings) -> AsyncIterator[LlamaServer]:
    """Start the embedded language model of these settings on a port of its own.

    Raises:
        UserError: It cannot serve.
    """
    settings = settings.model_copy(update={"llm_port": spare_port()})
    env = with_large_pages({**os.environ, "LLM_PORT": str(settings.llm_port)})
    lines: list[str] = []
    child = Child([sys.executable, "-m", "agent", "llm"], env, lines.append)
    server = LlamaServer(settings, None)
    try:
        await child.start()
        await until_ready(child, _ready(settings), "language model")
        yield server
    finally:
        await server.aclose()
        await child.stop(_GRACE_SECONDS)


async def _ready(settings: Settings) -> None:
    await first(llm_feed(settings), lambda answer: bool(answer and answer.ready))
