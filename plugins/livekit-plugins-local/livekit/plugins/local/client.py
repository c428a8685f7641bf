"""The plugins' connection to the engine."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins.local.protocol import ProtocolError, decode, encode

# A barge-in closes the stream; it must not wait for the engine to say goodbye.
_CLOSE_SECONDS = 0.05

_HTTP_STATUS = {
    "bad_request": 400,
    "unknown_voice": 404,
    "unknown_language": 404,
    "overloaded": 503,
    "not_ready": 503,
    "failed": 500,
}


class EngineConnection:
    """Opens streams to the engine at one address; shared by all streams of a plugin."""

    def __init__(self, address: str) -> None:
        """Args: address: ``unix:PATH`` or ``http://HOST:PORT``."""
        self.address = address
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    @asynccontextmanager
    async def stream(
        self, path: str, start: object, *, timeout: float
    ) -> AsyncIterator["EngineStream"]:
        """Open one stream and wait until the engine is ready for it.

        Args:
            path: Endpoint, e.g. ``/v1/stt/stream``.
            start: The opening message.
            timeout: Seconds within which the engine must answer.

        Raises:
            APIError: The engine cannot be reached, refused, or did not answer in time.
        """
        try:
            async with asyncio.timeout(timeout):
                socket = await self._connect(path)
        except TimeoutError:
            raise APITimeoutError(f"the speech engine at {self.address} did not answer") from None
        stream = EngineStream(socket, self.address)
        try:
            async with api_errors(self.address):
                await stream.send(start)
                ready = await stream.receive(timeout=timeout)
                if not isinstance(ready, dict) or ready["type"] != "ready":
                    raise ProtocolError("the engine did not say that it is ready")
            yield stream
        finally:
            await socket.close()

    async def aclose(self) -> None:
        """Close every stream; no other can be opened."""
        self._closed = True
        if self._session:
            await self._session.close()
            self._session = None

    async def _connect(self, path: str) -> aiohttp.ClientWebSocketResponse:
        if self._closed:
            raise APIConnectionError("the speech plugin was closed", retryable=False)
        if self._session is None:
            self._session = self._open_session()
        base = "http://engine" if self.address.startswith("unix:") else self.address
        try:
            return await self._session.ws_connect(
                base.rstrip("/") + path,
                max_msg_size=8 * 1024 * 1024,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_SECONDS),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise APIStatusError(
                f"{self.address} answered with HTTP {error.status}; is it a speech engine?",
                status_code=error.status,
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise APIConnectionError(
                f"the speech engine at {self.address} cannot be reached ({_reason(error)}); "
                "is it running?"
            ) from None

    def _open_session(self) -> aiohttp.ClientSession:
        connector: aiohttp.BaseConnector
        if self.address.startswith("unix:"):
            connector = aiohttp.UnixConnector(self.address.removeprefix("unix:"), limit=0)
        elif urlsplit(self.address).scheme == "http":
            connector = aiohttp.TCPConnector(limit=0)
        else:
            raise APIConnectionError(
                f"{self.address} is neither unix:PATH nor http://HOST:PORT", retryable=False
            )
        return aiohttp.ClientSession(connector=connector)


class EngineStream:
    """One open stream."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, address: str) -> None:
        self._socket = socket
        self._address = address

    async def send(self, message: object) -> None:
        """Send one message."""
        await self._socket.send_str(encode(message))

    async def send_audio(self, pcm: bytes) -> None:
        """Send audio, signed 16-bit little-endian mono."""
        await self._socket.send_bytes(pcm)

    async def receive(self, *, timeout: float | None = None) -> bytes | dict[str, Any] | None:
        """Return the next audio or message; None when the engine ended the stream properly.

        Args:
            timeout: Seconds to wait; None waits for ever.

        Raises:
            APIError: The engine reported an error, fell silent, or vanished.
        """
        try:
            frame = await self._socket.receive(timeout)
        except TimeoutError:
            raise APITimeoutError(
                f"the speech engine at {self._address} sent nothing for {timeout:.1f} s"
            ) from None
        if frame.type is aiohttp.WSMsgType.BINARY:
            return bytes(frame.data)
        if frame.type is aiohttp.WSMsgType.TEXT:
            message = decode(frame.data)
            if message["type"] == "error":
                raise to_api_error(
                    str(message.get("code")),
                    str(message.get("message")),
                    retryable=bool(message.get("retryable")),
                )
            return message
        if self._socket.close_code == aiohttp.WSCloseCode.OK:
            return None
        raise APIConnectionError(f"the connection to the speech engine at {self._address} was lost")


@asynccontextmanager
async def api_errors(address: str) -> AsyncIterator[None]:
    """Turn whatever goes wrong inside into an `APIError`.

    The framework drops a speech-to-text stream for good on any other exception, and the agent
    would stay on the line, deaf.
    """
    try:
        yield
    except APIError:
        raise
    except TimeoutError:
        raise APITimeoutError(f"the speech engine at {address} did not answer in time") from None
    except (aiohttp.ClientError, OSError) as error:
        raise APIConnectionError(
            f"the connection to the speech engine at {address} failed ({_reason(error)})"
        ) from None
    except Exception as error:
        raise APIConnectionError(
            f"the speech plugin failed ({type(error).__name__}: {error})"
        ) from error


def to_api_error(code: str, message: str, *, retryable: bool) -> APIError:
    """Translate an engine's ``error`` message for the framework.

    Args:
        code: The engine's code.
        message: The engine's sentence.
        retryable: What the engine says of another attempt.
    """
    if code in ("not_ready", "overloaded"):
        return APIConnectionError(message)
    status = _HTTP_STATUS.get(code, 500)
    return APIStatusError(message, status_code=status, body=None, retryable=retryable)


async def run_with(main: Coroutine[Any, Any, None], *helpers: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` while ``helpers`` run beside it.

    Ends when ``main`` does, or with the exception of whichever fails first; the others are
    cancelled and waited for.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in (main, *helpers)]
    pending = set(tasks)
    try:
        while tasks[0] in pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
