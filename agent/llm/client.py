"""Getting the language model's server ready for a caller's first question."""

import ssl
from contextlib import suppress
from functools import cache

import httpx2

# The library imports these when it is first asked for an answer, which then holds up the call.
import openai.lib.streaming.chat
import openai.pagination
import openai.resources.chat.chat
import openai.resources.chat.completions.completions  # noqa: F401
from openai import AsyncOpenAI, OpenAIError

from agent.settings import Settings

# A caller may think for a while between two questions; the connection should still be there.
_KEEP_SECONDS = 120.0


# The answers are not looked at here, so that even one that makes no sense does no harm.
async def connect_once(settings: Settings) -> None:
    """List the models, which imports and builds what the first request of a process needs."""
    # Only a preparation: a server that is down is reported when a caller waits for an answer.
    with suppress(OpenAIError):
        async with open_client(settings, timeout=5.0) as client:
            await client.models.with_raw_response.list()


def open_client(settings: Settings, *, timeout: float) -> AsyncOpenAI:
    """Return a client of the language model's server; nothing is connected yet.

    Args:
        settings: The settings.
        timeout: Seconds for each request.
    """
    return AsyncOpenAI(
        base_url=settings.llm_url,
        api_key=settings.llm_api_key.get_secret_value(),
        max_retries=0,
        timeout=timeout,
        http_client=httpx2.AsyncClient(
            verify=certificates(),
            timeout=timeout,
            follow_redirects=True,
            limits=httpx2.Limits(keepalive_expiry=_KEEP_SECONDS),
        ),
    )


@cache
def certificates() -> ssl.SSLContext:
    """Return what servers are known by. To read it takes a tenth of a second: once a process."""
    return httpx2.create_ssl_context()
