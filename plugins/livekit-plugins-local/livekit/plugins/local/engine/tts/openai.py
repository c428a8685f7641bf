"""Any server with OpenAI's streaming ``/v1/audio/speech``: a voice that runs somewhere else."""

import asyncio
import logging
import re
from collections.abc import Iterator
from functools import partial

import aiohttp
import numpy as np
from livekit.plugins.local.engine.tts.audio import PcmEncoder
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples
from livekit.plugins.local.engine.tts.openai_answers import answer_error, listed_voices, pcm_rate
from livekit.plugins.local.errors import EngineError
from yarl import URL

_CONNECT_SECONDS = 3.0
_FIRST_AUDIO_SECONDS = 10.0
_CHUNK_SECONDS = 5.0
_LIST_SECONDS = 3.0
_BLOCK_BYTES = 1 << 16
_URL = re.compile(r"https?://[^/\s]+")

_log = logging.getLogger(__name__)


class OpenAIEngine:
    """Asks the server of the setting ``TTS_OPENAI_URL``, one request per clause.

    A server that is away when the engine starts is not an error yet: its voices are those that the
    configuration names, and it is asked again for every clause.
    """

    name = "openai"
    sample_rate = 24_000
    version = ""
    streaming = True

    def __init__(self, context: EngineContext) -> None:
        self._server = context.server
        self._languages = frozenset(context.configured)
        self._names = [
            name
            for engine, _, name in (voice.partition("/") for voice in context.configured.values())
            if engine == self.name
        ]
        self._base = self._server.url.rstrip("/")
        self._first_seconds = _FIRST_AUDIO_SECONDS
        self._chunk_seconds = _CHUNK_SECONDS

    def voices(self) -> dict[str, frozenset[str]]:
        """Return the configured voices and those that the server lists.

        Nobody tells which languages they speak: they are trusted to speak the configured ones.
        """
        return dict.fromkeys(self._names, self._languages)

    def load(self) -> None:
        """Check the setting and ask the server for its voices."""
        if not _URL.match(self._base):
            raise EngineError(
                "failed",
                "The voice engine openai needs TTS_OPENAI_URL, the base URL of a speech server, "
                "such as http://127.0.0.1:8000/v1.",
            )
        self.version = f"{URL(self._base).origin()} {self._server.model}"
        try:
            found = asyncio.run(self._list_voices())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            _log.warning("the server of TTS_OPENAI_URL did not answer: %s", type(error).__name__)
            return
        self._names = list(dict.fromkeys([*self._names, *found]))

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        """Speak one clause or sentence; cancelling closes the request."""
        request: dict[str, object] = {
            "model": self._server.model,
            "input": text,
            "voice": voice,
            "response_format": "pcm",
        }
        if speed != 1.0:
            request["speed"] = speed
        # A loop of its own, which runs while the next chunk is awaited: the caller is a thread.
        loop = asyncio.new_event_loop()
        try:
            exchange = _Exchange(self, request)
            while True:
                task = loop.create_task(exchange.receive())
                stop = partial(_stop, loop, task)
                try:
                    with cancel.calling(stop):
                        pcm = loop.run_until_complete(task)
                except asyncio.CancelledError:
                    break
                if pcm is None or cancel.cancelled:
                    break
                if len(pcm):
                    yield pcm
        finally:
            loop.run_until_complete(exchange.aclose())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._server.key}"} if self._server.key else {}

    async def _list_voices(self) -> list[str]:
        """Return the voices that the server lists, in one of the two ways that exist."""
        timeout = aiohttp.ClientTimeout(total=_LIST_SECONDS)
        async with aiohttp.ClientSession(
            timeout=timeout, headers=self._headers(), trust_env=True
        ) as session:
            for path in ("audio/voices", "models"):
                async with session.get(f"{self._base}/{path}", allow_redirects=False) as answer:
                    if answer.status in (401, 403):
                        raise answer_error(answer.status, b"")
                    if answer.status == 200:
                        names = listed_voices(
                            await answer.json(content_type=None), self._server.model
                        )
                        if names:
                            return names
        return []


def _stop(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[Samples | None]") -> None:
    # The loop is closed only after `calling` has ended.
    loop.call_soon_threadsafe(task.cancel)


class _Exchange:
    """One request and its answer."""

    def __init__(self, engine: OpenAIEngine, request: dict[str, object]) -> None:
        self._engine = engine
        self._request = request
        self._session: aiohttp.ClientSession | None = None
        self._answer: aiohttp.ClientResponse | None = None
        self._encoder: PcmEncoder | None = None
        self._rest = b""
        self._heard = False
        self._ended = False

    async def receive(self) -> Samples | None:
        """Return the next audio; None at the end.

        Raises:
            EngineError: The server refused, broke off, sent no audio, or kept us waiting.
        """
        if self._ended:
            return None
        engine = self._engine
        limit = engine._chunk_seconds if self._heard else engine._first_seconds
        try:
            async with asyncio.timeout(limit):
                return await self._receive()
        except TimeoutError:
            raise _trouble(f"sent nothing for {limit:g} s") from None
        except aiohttp.ClientConnectorError:
            raise _trouble("cannot be reached") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _trouble(f"broke off ({type(error).__name__})") from error

    async def aclose(self) -> None:
        """Close the request, finished or not."""
        if self._answer is not None:
            self._answer.close()
        if self._session is not None:
            await self._session.close()

    async def _receive(self) -> Samples | None:
        if self._answer is None:
            self._answer = await self._ask()
        data = await self._answer.content.read(_BLOCK_BYTES)
        if not data:
            self._ended = True
            if not self._heard:
                raise _trouble("sent no audio")
        self._heard = True
        pcm = self._rest + data
        whole = len(pcm) - len(pcm) % 2
        self._rest = pcm[whole:]
        samples: Samples = np.frombuffer(pcm[:whole], "<i2").astype(np.float32) / 32768.0
        if self._encoder is not None:
            resampled = self._encoder.encode(samples)
            resampled += self._encoder.finish() if self._ended else b""
            samples = np.frombuffer(resampled, "<i2").astype(np.float32) / 32768.0
        return None if self._ended and not len(samples) else samples

    async def _ask(self) -> aiohttp.ClientResponse:
        engine = self._engine
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            headers=engine._headers(),
            trust_env=True,
        )
        answer = await self._session.post(
            f"{engine._base}/audio/speech", json=self._request, allow_redirects=False
        )
        # Kept before it is judged, so that it is closed whatever comes.
        self._answer = answer
        if answer.status != 200:
            raise answer_error(answer.status, await answer.content.read(_BLOCK_BYTES))
        rate = pcm_rate(answer.headers.get("Content-Type", ""), engine._server.sample_rate)
        if rate != engine.sample_rate:
            self._encoder = PcmEncoder(rate, engine.sample_rate)
        return answer


def _trouble(what: str) -> EngineError:
    return EngineError(
        "failed",
        f"The speech server of TTS_OPENAI_URL {what}; see whether it is running.",
        retryable=True,
    )
