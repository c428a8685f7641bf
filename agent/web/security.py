"""Response headers that confine the page to what it needs."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from agent.web.access import LiveKitAccess

_FIXED = {
    # In place of the framework's own, which tells its version.
    "Server": "Eloquence",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def content_security_policy(livekit: LiveKitAccess) -> str:
    """Return a policy that lets the page load only from us and talk only to us and to LiveKit.

    LiveKit is named twice, because its client opens a WebSocket and, when that fails, asks over
    HTTP for the reason.
    """
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "media-src": "'self'",
        "connect-src": f"'self' {livekit.url.origin()} {livekit.http_url.origin()}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def header_signal(
    livekit: LiveKitAccess,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return the ``on_response_prepare`` handler that adds the headers to every answer."""
    headers = {**_FIXED, "Content-Security-Policy": content_security_policy(livekit)}

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(headers)
        # The build names assets after their content, all else may change under its name.
        hashed = request.path.startswith("/assets/") and response.status == 200
        response.headers.setdefault(
            hdrs.CACHE_CONTROL,
            "public, max-age=31536000, immutable" if hashed else "no-cache",
        )

    return add_headers
