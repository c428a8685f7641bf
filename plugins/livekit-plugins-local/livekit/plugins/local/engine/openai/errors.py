"""Errors in the shape that OpenAI clients read."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from livekit.plugins.local.errors import EngineError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Clients that honour the header wait this long before they ask again.
_RETRY_SECONDS = 1
# What an error of the engine is in HTTP; everything else is a failure of the engine.
_STATUS = {
    "bad_request": 400,
    "unknown_voice": 400,
    "unknown_language": 400,
    "not_ready": 503,
    "overloaded": 503,
}
_PARAM = {"unknown_voice": "voice", "unknown_language": "language"}
# The client closed the request; nobody reads this status but the access log.
_CLIENT_GONE = 499

_log = logging.getLogger(__name__)


class ApiError(Exception):
    """A request that is refused or failed.

    Args:
        status: HTTP status.
        message: One sentence that says what is wrong and what to do.
        param: The parameter at fault.
        code: Stable, machine-readable.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code

    @property
    def body(self) -> dict[str, dict[str, str | None]]:
        """The JSON body that says so."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {
            "error": {
                "message": self.message,
                "type": kind,
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self) -> web.Response:
        """Return the answer."""
        response = web.json_response(self.body, status=self.status)
        if self.status == 503:
            response.headers["Retry-After"] = str(_RETRY_SECONDS)
        return response


def missing(param: str) -> ApiError:
    """Return the error for a parameter that every request must have."""
    return ApiError(
        400,
        f"The parameter {param} is missing; add it to the request.",
        param=param,
        code="missing_required_parameter",
    )


def invalid(param: str, problem: str) -> ApiError:
    """Return the error for a parameter with a value that it cannot have."""
    return ApiError(400, f"{param} {problem}.", param=param, code="invalid_value")


def as_api_error(error: Exception) -> ApiError:
    """Return what a client is told about an exception; what nobody foresaw goes into the log."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, EngineError):
        status = _STATUS.get(error.code, 500)
        return ApiError(status, error.message, param=_PARAM.get(error.code), code=error.code)
    _log.error("a request failed", exc_info=error)
    return ApiError(500, "The speech engine failed; see its log.", code="failed")


def answering(handler: Handler) -> Handler:
    """Wrap a handler: whatever it raises becomes an answer, and the engine goes on."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ConnectionError:
            _log.debug("the client of %s went away", request.path)
            return web.Response(status=_CLIENT_GONE)
        except Exception as error:  # noqa: BLE001 - a client must get an answer it understands
            return as_api_error(error).response()

    return answer
