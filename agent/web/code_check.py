"""The access code, without which nobody gets a token from the local network."""

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from agent.lan.access_code import same_code
from agent.web.refusal import refusal

_SENTENCE = (
    "This needs the access code that `eloquence up --lan` shows, "
    "as the header `Authorization: Bearer CODE`."
)


def code_checking(code: str) -> Middleware:
    """Return the middleware that answers 401 to every POST without the code."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == hdrs.METH_POST:
            scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
            if scheme.casefold() != "bearer" or not same_code(given, code):
                return refusal(request, 401, _SENTENCE, {hdrs.WWW_AUTHENTICATE: "Bearer"})
        return await handler(request)

    return middleware
