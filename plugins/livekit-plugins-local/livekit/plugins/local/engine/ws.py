"""What both streaming endpoints share: the opening message, and errors the client understands."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import PROTOCOL_VERSION, ProtocolError, decode, encode

# A caller sends one such frame per 50 ms; this is a minute of audio, or far too much text.
_MAX_FRAME = 2 * 1024 * 1024
_START_SECONDS = 10.0

_log = logging.getLogger(__name__)

Serve = Callable[[web.WebSocketResponse, dict[str, Any]], Awaitable[None]]


async def serve_stream(request: web.Request, kind: str, serve: Serve) -> web.WebSocketResponse:
    """Accept one stream, read its ``start``, and run ``serve`` until it ends.

    ``serve`` is cancelled when the client goes away; `EngineError` and `ProtocolError` reach the
    client as an ``error`` message, and anything else as one too, with its traceback in the log.
    """
    socket = web.WebSocketResponse(max_msg_size=_MAX_FRAME, heartbeat=20.0)
    await socket.prepare(request)
    metrics.STREAMS.labels(kind).inc()
    try:
        start = await asyncio.wait_for(_read_start(socket), _START_SECONDS)
        await serve(socket, start)
        await socket.close()
    except EngineError as error:
        await _refuse(socket, error)
    except (ProtocolError, TimeoutError) as error:
        message = str(error) or "no start message came"
        await _refuse(
            socket, EngineError("bad_request", f"The client broke the protocol: {message}.")
        )
    except ConnectionError:
        _log.debug("%s client went away", kind)
    except Exception:  # noqa: BLE001 - one stream's bug must not look like a lost connection
        _log.exception("%s stream failed", kind)
        await _refuse(
            socket,
            EngineError("failed", "The speech engine failed; see its log.", retryable=True),
        )
    finally:
        metrics.STREAMS.labels(kind).dec()
    return socket


def parse(message: WSMessage) -> bytes | dict[str, Any]:
    """Return a frame's content: audio bytes, or a decoded message.

    Raises:
        ProtocolError: The frame is neither.
    """
    if message.type is WSMsgType.BINARY:
        return bytes(message.data)
    if message.type is WSMsgType.TEXT:
        return decode(message.data)
    raise ProtocolError("an unexpected kind of frame came")


async def _read_start(socket: web.WebSocketResponse) -> dict[str, Any]:
    message = await socket.receive()
    if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
        raise ConnectionResetError
    start = parse(message)
    if not isinstance(start, dict) or start["type"] != "start":
        raise ProtocolError("the first message was not a start message")
    if start.get("protocol") != PROTOCOL_VERSION:
        raise ProtocolError(
            f"it speaks version {start.get('protocol')}, this engine speaks {PROTOCOL_VERSION}"
        )
    return start


async def _refuse(socket: web.WebSocketResponse, error: EngineError) -> None:
    if socket.closed:
        return
    body = {
        "type": "error",
        "code": error.code,
        "message": error.message,
        "retryable": error.retryable,
    }
    try:
        await socket.send_str(encode(body))
        await socket.close(code=WSCloseCode.INTERNAL_ERROR)
    except ConnectionError:
        _log.debug("the client left before it could be told: %s", error.message)
