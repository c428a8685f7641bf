"""What a process says of itself, and asking it once.

Every process of ours answers ``GET /readyz`` with status 200 or 503 and the JSON that its
`Readiness` holds; other servers (LiveKit, llama.cpp) merely answer 200 on a path of theirs when
they can serve. `agent.readiness_feed` follows either of them.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from livekit.plugins.local.readiness import Component, group_of

__all__ = [
    "STANDBY_PORT",
    "UNIX_SCHEME",
    "Component",
    "Readiness",
    "ask",
    "fetch_readiness",
    "open_session",
    "parse_readiness",
]

UNIX_SCHEME = "unix:"
# Environment variable: where a worker answers until the one that it takes over from has ended.
STANDBY_PORT = "ELOQUENCE_STANDBY_PORT"


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a process says of itself.

    Attributes:
        ready: Whether it can serve.
        components: The state of each of its parts.
        load: How busy it is, in [0, 1]; 1 means that it should get no more calls.
        settled: Whether none of its parts is on its way any more.
    """

    ready: bool
    components: Mapping[str, Component] = field(default_factory=dict)
    load: float = 0.0
    settled: bool = False

    @property
    def failure(self) -> str | None:
        """The sentence of the first component that failed, if one did."""
        for name, component in self.components.items():
            if component.state == "failed":
                return component.message or f"{name} failed."
        return None

    def able(self, group: str) -> bool:
        """Whether a component of a group (``stt``, ``tts``) is ready."""
        parts = self.components.items()
        return any(part.state == "ready" for name, part in parts if group_of(name) == group)


def parse_readiness(status: int, body: object) -> Readiness:
    """Read the answer to ``GET /readyz``; what it does not say is left at its default.

    Args:
        status: The HTTP status.
        body: The decoded JSON, or None when there was none.
    """
    ready = status == 200
    if not isinstance(body, dict):
        return Readiness(ready, settled=ready)
    load, settled = body.get("load"), body.get("settled")
    return Readiness(
        ready,
        _components(body.get("components")),
        load if isinstance(load, (int, float)) else 0.0,
        settled if isinstance(settled, bool) else ready,
    )


def _components(listed: object) -> dict[str, Component]:
    if not isinstance(listed, dict):
        return {}
    return {
        str(name): _component(entry) for name, entry in listed.items() if isinstance(entry, dict)
    }


def _component(entry: dict[str, Any]) -> Component:
    done, total, rate, eta = (entry.get(name) for name in ("done", "total", "rate", "eta"))
    return Component(
        state=str(entry.get("state", "loading")),
        message=str(entry.get("message") or ""),
        done=done if isinstance(done, int) else None,
        total=total if isinstance(total, int) else None,
        rate=rate if isinstance(rate, (int, float)) else None,
        eta=eta if isinstance(eta, (int, float)) else None,
        code=str(entry.get("code") or ""),
        remedy=str(entry.get("remedy") or ""),
        parts=_components(entry.get("parts")),
    )


@asynccontextmanager
async def open_session(address: str) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """Open an HTTP session with a server.

    Args:
        address: ``unix:PATH`` or ``http(s)://HOST[:PORT]``.

    Yields:
        The session, and what to put before a path.
    """
    connector: aiohttp.BaseConnector | None = None
    base = address.rstrip("/")
    if address.startswith(UNIX_SCHEME):
        connector = aiohttp.UnixConnector(address.removeprefix(UNIX_SCHEME))
        base = "http://engine"  # no host is looked up: the connector goes to the socket
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session, base


async def ask(
    session: aiohttp.ClientSession, url: str, *, timeout: float = 2.0
) -> Readiness | None:
    """Ask a server whether it can serve, in a session of `open_session`.

    Args:
        session: The session.
        url: What to ask for.
        timeout: Seconds to wait.

    Returns:
        Its answer, or None when nothing answered HTTP there.
    """
    limits = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, allow_redirects=False, timeout=limits) as response:
            return parse_readiness(response.status, await _json(response))
    except (aiohttp.ClientError, OSError):
        return None


async def fetch_readiness(
    address: str, path: str = "/readyz", *, timeout: float = 2.0
) -> Readiness | None:
    """Ask a server once whether it can serve.

    Args:
        address: ``unix:PATH`` or ``http(s)://HOST[:PORT]``.
        path: What to ask for; any path that answers 200 when the server can serve.
        timeout: Seconds to wait.

    Returns:
        Its answer, or None when nothing answered HTTP there.
    """
    async with open_session(address) as (session, base):
        return await ask(session, base + path, timeout=timeout)


async def _json(response: aiohttp.ClientResponse) -> object:
    if response.content_type != "application/json":
        return None
    try:
        body: object = await response.json()
    except ValueError:
        return None
    return body
