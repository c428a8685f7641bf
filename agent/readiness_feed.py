"""Following what a server says of itself, for as long as it matters.

A process of ours tells every change by itself (`told_by`). A server of others must be asked: often
while it starts, seldom later (`asked_of`). Either way a feed is an endless stream of answers.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import aiohttp
from livekit.plugins.local.readyz import BEAT_SECONDS, WATCH

from agent.readiness import Readiness, ask, open_session, parse_readiness
from agent.settings import Settings

Answers = AsyncGenerator[Readiness | None, None]
"""Answers of a server, None for silence; the same one may come again."""
Feed = Callable[[], Answers]

STARTING_SECONDS: Final = 0.2
STEADY_SECONDS: Final = 1.0
_CONNECT_SECONDS: Final = 2.0
# Its event loop may be late on a busy machine.
_SILENCE_SECONDS: Final = 2.5 * BEAT_SECONDS
_EVENT: Final = b"data: "


def told_by(address: str) -> Feed:
    """Return the feed of a process of ours, which tells each change as it happens.

    While nobody listens there, to connect again and again is the only way to notice a new process.

    Args:
        address: ``unix:PATH`` or ``http(s)://HOST[:PORT]``.
    """

    async def answers() -> Answers:
        async with open_session(address) as (session, base):
            while True:
                async with aclosing(_listen(session, base + WATCH)) as told:
                    async for answer in told:
                        yield answer
                await asyncio.sleep(STARTING_SECONDS)

    return answers


def asked_of(address: str, path: str = "/", *, any_answer: bool = False) -> Feed:
    """Return the feed of a server of others, which has to be asked.

    Args:
        address: ``unix:PATH`` or ``http(s)://HOST[:PORT]``.
        path: Answers 200 when the server can serve.
        any_answer: Whether any other status will do as well.
    """

    async def answers() -> Answers:
        async with open_session(address) as (session, base):
            while True:
                answer = await ask(session, base + path)
                if answer and any_answer:
                    answer = Readiness(ready=True, settled=True)
                yield answer
                ready = answer is not None and answer.ready
                await asyncio.sleep(STEADY_SECONDS if ready else STARTING_SECONDS)

    return answers


def livekit_feed(url: str) -> Feed:
    """Return the feed of a LiveKit server.

    Args:
        url: Its address, for WebSockets or for HTTP.
    """
    return asked_of(re.sub("^ws", "http", url).rstrip("/"))


def llm_feed(settings: Settings) -> Feed:
    """Return the feed of the language model's server."""
    if settings.embedded_llm:
        return asked_of(f"http://127.0.0.1:{settings.llm_port}", "/health")
    # All that can be asked of every such server is whether it answers.
    return asked_of(settings.llm_url, "/models", any_answer=True)


async def first(feed: Feed, condition: Callable[[Readiness | None], bool]) -> Readiness | None:
    """Return the first answer for which something holds; give it a deadline."""
    async with aclosing(feed()) as answers:
        async for answer in answers:
            if condition(answer):
                return answer
    raise AssertionError("a feed has no end")


async def _listen(session: aiohttp.ClientSession, url: str) -> Answers:
    """Yield what a process tells until it is gone, then None."""
    limits = aiohttp.ClientTimeout(
        total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
    )
    try:
        async with session.get(url, allow_redirects=False, timeout=limits) as response:
            if response.content_type != "text/event-stream":
                # Somebody else's server, or the language model's while that is being fetched.
                body = await response.json() if _is_json(response) else None
                yield parse_readiness(response.status, body)
                return
            async for line in response.content:
                if line.startswith(_EVENT):
                    body = json.loads(line.removeprefix(_EVENT))
                    yield parse_readiness(200 if body["ready"] else 503, body)
    except (aiohttp.ClientError, OSError, ValueError):
        pass
    yield None


def _is_json(response: aiohttp.ClientResponse) -> bool:
    return response.content_type == "application/json"
