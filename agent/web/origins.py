"""Which pages on other origins may ask for a token (CORS)."""

from aiohttp import hdrs, web
from yarl import URL

_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_ALLOWED_HEADERS = "Content-Type, Authorization, X-Sandbox-Id"
_PREFLIGHT_SECONDS = 600


def is_allowed(origin: str, host: str) -> bool:
    """Tell whether a page may read our answers.

    Allowed are our own page and pages served from this machine, where front ends are developed.

    Args:
        origin: The request's ``Origin``.
        host: The request's ``Host``. The scheme is not compared, because behind a TLS proxy ours
            is not the one that the browser sees.
    """
    try:
        url = URL(origin)
    except ValueError:
        return False
    if url.scheme not in ("http", "https"):
        return False
    return url.host in _LOOPBACK_HOSTS or origin.partition("://")[2] == host


def cors_headers(request: web.Request) -> dict[str, str]:
    """Return the headers that every answer to ``request`` carries, preflight and errors included.

    A caller without ``Origin`` is no web page and needs none; a foreign page gets none, so that
    its browser keeps the answer from it.
    """
    headers: dict[str, str] = {hdrs.VARY: hdrs.ORIGIN}
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None and is_allowed(origin, request.host):
        headers |= {
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: "POST, OPTIONS",
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _ALLOWED_HEADERS,
            hdrs.ACCESS_CONTROL_MAX_AGE: str(_PREFLIGHT_SECONDS),
        }
    return headers


def is_foreign(request: web.Request) -> bool:
    """Tell whether ``request`` comes from a page that may not ask us for anything."""
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and not is_allowed(origin, request.host)
