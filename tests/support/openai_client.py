"""The official OpenAI client, talking to an engine on a Unix socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import openai


@asynccontextmanager
async def openai_client(address: str) -> AsyncIterator[openai.AsyncClient]:
    """Yield a client of the engine at ``unix:PATH``; it does not retry."""
    transport = httpx2.AsyncHTTPTransport(uds=address.removeprefix("unix:"))
    client = openai.AsyncClient(
        api_key="none",
        base_url="http://engine/v1",
        http_client=httpx2.AsyncClient(transport=transport, timeout=10),
        max_retries=0,
    )
    async with client:
        yield client
