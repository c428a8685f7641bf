"""A moshi-server's address: how to get a WebSocket or an HTTP answer from it, and what may fail."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins.kyutai.messages import MAX_MESSAGE

_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}

CLOSE_SECONDS = 0.05
"""A barge-in closes the connection; it must not wait for the server to say goodbye."""


class _RedirectError(aiohttp.ClientError):
    """The server sends its clients elsewhere."""

    def __init__(self, status: int) -> None:
        self.status = status


class MoshiServer:
    """Opens connections to one server; shared by all streams of a plugin."""

    def __init__(self, url: str, api_key: str) -> None:
        """Create the handle; nothing is opened before it is needed.

        Args:
            url: ``ws://``, ``wss://``, ``http://`` or ``https://``, host, port and any prefix.
            api_key: One of the server's ``authorized_ids``.
        """
        self.url = url
        self._api_key = api_key
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._farewells: set[asyncio.Task[None]] = set()

    async def websocket(
        self, path: str, query: Mapping[str, str], *, timeout: float
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket.

        Args:
            path: The module's path, e.g. ``/api/tts_streaming``.
            query: Parameters of the address.
            timeout: Seconds within which the server must accept it.

        Raises:
            APIError: The server cannot be reached, refused, or is no moshi-server.
        """
        session = self._open_session()
        try:
            async with asyncio.timeout(timeout):
                return await session.ws_connect(
                    self._address(path),
                    params=query,
                    headers=self._headers(),
                    max_msg_size=MAX_MESSAGE,
                    # Its own answer to a Close would wait for the server's next word.
                    autoclose=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
                )
        except TimeoutError:
            raise self._late() from None
        except aiohttp.WSServerHandshakeError as error:
            raise self.refusal(error.status, path) from None
        except _RedirectError as error:
            raise self.refusal(error.status, path) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unreachable(error) from None

    @asynccontextmanager
    async def post(
        self, path: str, *, body: bytes, content_type: str, timeout: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Post a request and give its answer, whose body is still to be read.

        Args:
            path: The module's path.
            body: What is posted.
            content_type: What that is.
            timeout: Seconds within which the answer must begin.

        Raises:
            APIError: As of `websocket`.
        """
        session = self._open_session()
        try:
            async with asyncio.timeout(timeout):
                response = await session.post(
                    self._address(path),
                    data=body,
                    headers={**self._headers(), "Content-Type": content_type},
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                )
        except TimeoutError:
            raise self._late() from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unreachable(error) from None
        try:
            if response.status != 200:
                raise self.refusal(response.status, path)
            yield response
        finally:
            response.close()

    def refusal(self, status: int, path: str) -> APIError:
        """Return the error for an HTTP status that the server answered with."""
        said = f"the moshi-server at {self.url} "
        if status == 401:
            said += "does not accept the api_key; its configuration lists the authorized_ids"
        elif status in (404, 405):
            # Where there is no module there are files, to which nothing can be posted.
            said += f"has nothing at {path}; check the path of the module in its configuration"
        elif status == 400:
            said += f"does not understand the request for {path}; is it a moshi-server 0.6?"
        elif status < 400:
            what = f"{self.url} answered with HTTP {status} instead of a stream"
            return APIConnectionError(f"{what}; is it a moshi-server?", retryable=False)
        else:
            said += f"answered with HTTP {status}"
        return APIStatusError(said, status_code=status)

    def lost(self, error: BaseException | None = None) -> APIConnectionError:
        """Return the error for a connection that broke."""
        why = f" ({_reason(error)})" if error else ""
        return APIConnectionError(f"the connection to the moshi-server at {self.url} was lost{why}")

    def farewell(self, socket: aiohttp.ClientWebSocketResponse) -> "asyncio.Task[None]":
        """Close a socket beside whatever goes on, even if the caller is cancelled."""
        task = asyncio.create_task(_close(socket), name="kyutai-farewell")
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)
        return task

    async def aclose(self) -> None:
        """Close everything; nothing can be opened any more."""
        self._closed = True
        await asyncio.gather(*self._farewells, return_exceptions=True)
        if self._session:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise APIConnectionError("the speech plugin was closed", retryable=False)
        if self._session is None:
            # A slot is a connection: the pool must not be what limits them, or keeps one.
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
            tracing = aiohttp.TraceConfig()
            tracing.on_request_redirect.append(_refuse_redirect)
            self._session = aiohttp.ClientSession(connector=connector, trace_configs=[tracing])
        return self._session

    def _address(self, path: str) -> str:
        scheme, found, rest = self.url.partition("://")
        if not found or scheme.lower() not in _SCHEMES or not _has_host(self.url):
            raise APIConnectionError(
                f"{self.url!r} is no address of a moshi-server; give ws://HOST:PORT, wss://, "
                "http:// or https:// as base_url",
                retryable=False,
            )
        return f"{_SCHEMES[scheme.lower()]}://{rest.rstrip('/')}{path}"

    def _headers(self) -> dict[str, str]:
        # Not the query's auth_id: queries land in logs.
        if not self._api_key.isascii() or not self._api_key.isprintable():
            raise APIConnectionError(
                "the api_key holds characters that cannot be sent; it must be plain ASCII",
                retryable=False,
            )
        return {"kyutai-api-key": self._api_key}

    def _late(self) -> APITimeoutError:
        return APITimeoutError(f"the moshi-server at {self.url} did not answer in time")

    def _unreachable(self, error: BaseException) -> APIConnectionError:
        return APIConnectionError(
            f"the moshi-server at {self.url} cannot be reached ({_reason(error)}); is it running?"
        )


async def _refuse_redirect(
    session: aiohttp.ClientSession,
    context: object,
    params: aiohttp.TraceRequestRedirectParams,
) -> None:
    # aiohttp would take the key along, to whatever host that is.
    params.response.close()
    raise _RedirectError(params.response.status)


async def _close(socket: aiohttp.ClientWebSocketResponse) -> None:
    try:
        # Audio that still comes would restart aiohttp's own limit with each frame.
        async with asyncio.timeout(2 * CLOSE_SECONDS):
            await socket.close()
    except (TimeoutError, aiohttp.ClientError, OSError):
        # Cancelled in its middle, or broken anyway: the transport is closed.
        return


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
