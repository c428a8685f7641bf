"""Asking a process whether it is alive and whether it can serve.

Every process of ours answers ``GET /readyz`` with status 200 or 503 and the JSON that `Readiness`
holds; other servers (LiveKit, llama.cpp) merely answer 200 on a path of theirs when they can serve.
"""

from dataclasses import dataclass, field
from typing import Any

import aiohttp

UNIX_SCHEME = "unix:"
# Environment variable: where a worker answers until the one that it takes over from has ended.
STANDBY_PORT = "ELOQUENCE_STANDBY_PORT"


@dataclass(frozen=True, slots=True)
class Component:
    """State of one part of a process.

    Attributes:
        state: ``missing``, ``downloading``, ``verifying``, ``loading``, ``warming``, ``ready`` or
            ``failed``.
        message: One sentence, or empty.
        done: Bytes that are there already, where that means something.
        total: Bytes that there will be.
    """

    state: str
    message: str = ""
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a process says of itself.

    Attributes:
        ready: Whether it can serve.
        components: The state of each of its parts.
        load: How busy it is, in [0, 1]; 1 means that it should get no more calls.
    """

    ready: bool
    components: dict[str, Component] = field(default_factory=dict)
    load: float = 0.0

    @property
    def failure(self) -> str | None:
        """The sentence of the first component that failed, if one did."""
        for name, component in self.components.items():
            if component.state == "failed":
                return component.message or f"{name} failed."
        return None


def parse_readiness(status: int, body: object) -> Readiness:
    """Read the answer to ``GET /readyz``; what it does not say is left at its default.

    Args:
        status: The HTTP status.
        body: The decoded JSON, or None when there was none.
    """
    components: dict[str, Component] = {}
    listed = body.get("components") if isinstance(body, dict) else None
    if isinstance(listed, dict):
        components = {
            str(name): _component(entry)
            for name, entry in listed.items()
            if isinstance(entry, dict)
        }
    load = body.get("load") if isinstance(body, dict) else None
    return Readiness(status == 200, components, load if isinstance(load, (int, float)) else 0.0)


def _component(entry: dict[str, Any]) -> Component:
    done, total = entry.get("done"), entry.get("total")
    return Component(
        state=str(entry.get("state", "loading")),
        message=str(entry.get("message") or ""),
        done=done if isinstance(done, int) else None,
        total=total if isinstance(total, int) else None,
    )


async def fetch_readiness(
    address: str, path: str = "/readyz", *, timeout: float = 2.0
) -> Readiness | None:
    """Ask a server whether it can serve.

    Args:
        address: ``unix:PATH`` or ``http(s)://HOST[:PORT]``.
        path: What to ask for; any path that answers 200 when the server can serve.
        timeout: Seconds to wait.

    Returns:
        Its answer, or None when nothing answered HTTP there.
    """
    connector: aiohttp.BaseConnector | None = None
    base = address.rstrip("/")
    if address.startswith(UNIX_SCHEME):
        connector = aiohttp.UnixConnector(address.removeprefix(UNIX_SCHEME))
        base = "http://engine"  # no host is looked up: the connector goes to the socket
    limits = aiohttp.ClientTimeout(total=timeout)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limits) as session,
            session.get(base + path, allow_redirects=False) as response,
        ):
            return parse_readiness(response.status, await _json(response))
    except (aiohttp.ClientError, OSError):
        return None


async def _json(response: aiohttp.ClientResponse) -> object:
    if response.content_type != "application/json":
        return None
    try:
        body: object = await response.json()
    except ValueError:
        return None
    return body
