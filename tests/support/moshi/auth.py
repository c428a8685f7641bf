"""Who may use the fake moshi-server."""

from aiohttp import web

API_KEY = "public_token"
_HEADER = "kyutai-api-key"


def authorised(request: web.Request) -> bool:
    """Tell whether a request has the key; its header wins over its query."""
    if _HEADER in request.headers:
        return request.headers[_HEADER] == API_KEY
    return request.method == "GET" and request.query.get("auth_id") == API_KEY
