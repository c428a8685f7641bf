"""The token endpoint over HTTP: methods, content type, CORS and errors as JSON."""

from collections.abc import Callable
from functools import partial
from typing import Final

from aiohttp import hdrs, web

from agent.web.access import LiveKitAccess
from agent.web.origins import cors_headers, is_foreign
from agent.web.token import issue_token, renew_token
from agent.web.token_request import Refusal, parse_rejoin, parse_request

# The second is where LiveKit's `TokenSource.developmentTokenServer` looks.
TOKEN_PATHS: Final = ("/token", "/api/v2/sandbox/connection-details")
REJOIN_PATH: Final = "/token/rejoin"
MAX_BODY: Final = 16 * 1024


class TokenEndpoint:
    """Hands out tokens; neither they nor what was asked for is ever logged.

    Args:
        livekit: The server that the tokens are for.
        agent_name: The agent that answers every call.
        expect: Told the room of each new call, and the metadata for its agent.
    """

    def __init__(
        self, livekit: LiveKitAccess, agent_name: str, expect: Callable[[str, str], None]
    ) -> None:
        self._livekit = livekit
        self._agent_name = agent_name
        self._expect = expect

    def add_routes(self, app: web.Application) -> None:
        """Serve new calls at each of `TOKEN_PATHS`, and running ones at `REJOIN_PATH`."""
        for path in TOKEN_PATHS:
            app.router.add_route("*", path, partial(_handle, self._new_call))
        app.router.add_route("*", REJOIN_PATH, partial(_handle, self._running_call))

    def _new_call(self, raw: bytes) -> dict[str, str]:
        request = parse_request(raw, self._agent_name)
        answer = issue_token(self._livekit, self._agent_name, request)
        self._expect(answer["room_name"], request.agent_metadata)
        return answer

    def _running_call(self, raw: bytes) -> dict[str, str]:
        return renew_token(self._livekit, parse_rejoin(raw))


async def _handle(answer: Callable[[bytes], dict[str, str]], request: web.Request) -> web.Response:
    """Answer a preflight with 204, a good request with 201, all else with 4xx and a reason."""
    headers = {**cors_headers(request), hdrs.CACHE_CONTROL: "no-store"}
    if request.method == hdrs.METH_OPTIONS:
        return web.Response(status=204, headers=headers)
    try:
        body = answer(await _read(request))
    except Refusal as refusal:
        if refusal.status == 405:
            headers[hdrs.ALLOW] = "POST, OPTIONS"
        return web.json_response(
            {"error": refusal.sentence}, status=refusal.status, headers=headers
        )
    return web.json_response(body, status=201, headers=headers)


async def _read(request: web.Request) -> bytes:
    if request.method != hdrs.METH_POST:
        raise Refusal(405, "A token is asked for with POST.")
    if is_foreign(request):
        raise Refusal(403, "Pages of this origin may not ask for a token.")
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refusal(413, f"The body is longer than {MAX_BODY} bytes.") from None
    if raw and request.content_type != "application/json":
        raise Refusal(415, "The body must be sent as application/json.")
    return raw
