"""What a request is told that does not get as far as its handler."""

from collections.abc import Mapping

from aiohttp import hdrs, web

from agent.web.origins import cors_headers


def refusal(
    request: web.Request, status: int, sentence: str, headers: Mapping[str, str]
) -> web.Response:
    """Return an answer like those of the token endpoint: JSON that a page may read."""
    return web.json_response(
        {"error": sentence},
        status=status,
        headers={**cors_headers(request), hdrs.CACHE_CONTROL: "no-store", **headers},
    )
