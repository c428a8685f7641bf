"""One HTTP download that continues where an earlier one stopped."""

from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
from livekit.plugins.local.failures import Code
from yarl import URL

from .blobs import length
from .concurrency import in_thread
from .errors import Refused

CHUNK = 1 << 20
CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0

# What the hub says in a header of its own, beside the status.
_HUB_CODES: dict[str, tuple[Code, str]] = {
    "GatedRepo": ("gated", "wants its terms accepted"),
    # The hub answers 401 for what does not exist, unless it knows who asks.
    "RepoNotFound": ("not_found", "has no such repository, or a private one"),
    "RevisionNotFound": ("bad_revision", "has no such revision"),
    "EntryNotFound": ("not_found", "does not have it"),
}
_REFUSALS: dict[int, tuple[Code, str]] = {
    401: ("gated", "asks for a token"),
    403: ("gated", "denies access"),
    404: ("not_found", "does not have it"),
    410: ("not_found", "does not have it any more"),
}


def open_session() -> aiohttp.ClientSession:
    """Return a session for downloads: the environment's proxies, bytes exactly as they are sent."""
    return aiohttp.ClientSession(trust_env=True, auto_decompress=False, read_bufsize=CHUNK)


async def download(
    session: aiohttp.ClientSession,
    url: str,
    target: Path,
    *,
    size: int,
    on_bytes: Callable[[int], None],
    headers: Mapping[str, str] | None = None,
    connect_seconds: float = CONNECT_SECONDS,
) -> None:
    """Fetch ``url`` into ``target``, appending to what an interrupted attempt left there.

    An interrupted transfer is taken up again for as long as each attempt brings something; what
    arrived stays when it fails.

    Args:
        session: From `open_session`.
        url: Where it is.
        target: The file to complete; created when missing.
        size: How long it must become, in bytes; anything else is not what was asked for.
        on_bytes: Told how many bytes are there, whenever there are more.
        headers: Sent to that host; aiohttp withholds ``Authorization`` where it redirects to.
        connect_seconds: How long the server may take to accept the connection.

    Raises:
        Refused: The server cannot be reached, has no such thing, or has another.
    """
    host = URL(url).host
    timeout = aiohttp.ClientTimeout(total=None, connect=connect_seconds, sock_read=SILENCE_SECONDS)
    if length(target) > size:
        await in_thread(target.unlink)
    while (have := length(target)) < size:
        on_bytes(have)
        wanted = {**(headers or {}), "Accept-Encoding": "identity", "Range": f"bytes={have}-"}
        try:
            async with session.get(url, headers=wanted, timeout=timeout) as response:
                await _append(response, target, have, size, on_bytes)
        except aiohttp.ClientConnectorError as error:
            raise Refused("offline", f"{error.host} cannot be reached: {_cause(error)}") from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            raise Refused("not_found", f"{url} is not an HTTP address") from None
        except aiohttp.ConnectionTimeoutError:
            reason = f"{host} did not answer within {connect_seconds:g} s"
            raise Refused("offline", reason) from None
        except TimeoutError:
            if length(target) <= have:
                reason = f"{host} sent nothing for {SILENCE_SECONDS:g} s"
                raise Refused("timeout", reason) from None
        except aiohttp.ClientError as error:
            if length(target) <= have:
                reason = f"the transfer from {host} broke off ({type(error).__name__})"
                raise Refused("network", reason) from None
    on_bytes(size)


async def _append(
    response: aiohttp.ClientResponse,
    target: Path,
    have: int,
    size: int,
    on_bytes: Callable[[int], None],
) -> None:
    """Write the body of ``response`` at offset ``have``, or over everything if it is the whole."""
    host = response.url.host
    if response.status not in (200, 206, 416):
        raise _refusal(response)
    if response.status == 200:
        have = 0
    announced = response.content_length
    if response.status == 416 or (announced is not None and have + announced != size):
        await in_thread(target.unlink, missing_ok=True)
        raise Refused("truncated", f"what {host} has is not {size} bytes long")
    with await in_thread(target.open, "ab" if have else "wb") as file:
        async for chunk in response.content.iter_chunked(CHUNK):
            have += len(chunk)
            if have > size:
                await in_thread(file.truncate, 0)
                raise Refused("truncated", f"{host} sent more than {size} bytes")
            await in_thread(file.write, chunk)
            on_bytes(have)
    if have < size:
        raise aiohttp.ClientPayloadError("the body ended early")


def _refusal(response: aiohttp.ClientResponse) -> Refused:
    host, status = response.url.host, response.status
    code, reason = _REFUSALS.get(status, ("network", "answered with an error"))
    if "invalid credentials" in response.headers.get("X-Error-Message", "").lower():
        code, reason = "bad_token", "does not know the token"
    code, reason = _HUB_CODES.get(response.headers.get("X-Error-Code", ""), (code, reason))
    return Refused(code, f"{host} {reason} (status {status})")


def _cause(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted; SSL_CERT_FILE names the authorities to trust"
    return error.os_error.strerror or type(error.os_error).__name__
