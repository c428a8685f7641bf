"""The engine process: loads the models, serves every call."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.openai.routes import add_openai_routes
from livekit.plugins.local.engine.ws import serve_stream
from livekit.plugins.local.engine.ws_stt import serve_stt
from livekit.plugins.local.engine.ws_tts import serve_tts
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import STT_PATH, TTS_PATH
from livekit.plugins.local.readyz import Readyz
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from threadpoolctl import threadpool_limits

SPEECH = web.AppKey("speech", Speech)

_log = logging.getLogger(__name__)


def create_app(config: EngineConfig, vad_threads: Executor) -> web.Application:
    """Return the engine's HTTP application; its models load in the background once it runs.

    Raises:
        EngineError: A voice names an engine that does not exist.
    """
    app = web.Application()
    app[SPEECH] = Speech(config, vad_threads)
    app.cleanup_ctx.append(_loading)
    add_routes(app)
    return app


def add_routes(app: web.Application) -> None:
    """Add the engine's endpoints to an application that holds `SPEECH`."""
    Readyz(app[SPEECH].readiness).add_routes(app)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get(STT_PATH, _stt)
    app.router.add_get(TTS_PATH, _tts)
    add_openai_routes(app, SPEECH)


async def run_engine(config: EngineConfig) -> None:
    """Serve until SIGINT or SIGTERM; leaves no socket file behind.

    Raises:
        EngineError: The address cannot be listened on.
    """
    # NumPy's threads wait for more work by computing: each spectrogram, itself 4 ms of one core,
    # kept all others busy for 0.1 s, which the recogniser and the language model need.
    threadpool_limits(1, user_api="blas")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        vad_threads = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="vad"))
        app = create_app(config, vad_threads)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await _listen(runner, config.address, stack)
        _log.info("the engine listens on %s", config.address)
        await stop.wait()


async def _listen(runner: web.AppRunner, address: str, stack: AsyncExitStack) -> None:
    if address.startswith("unix:"):
        path = Path(address.removeprefix("unix:"))
        await asyncio.to_thread(_claim_socket, path)
        stack.callback(path.unlink, missing_ok=True)
        site: web.BaseSite = web.UnixSite(runner, str(path))
    else:
        url = urlsplit(address)
        if url.scheme != "http" or not url.hostname or not url.port:
            raise EngineError(
                "bad_request", f"ENGINE_URL={address} is neither unix:PATH nor http://HOST:PORT."
            )
        site = web.TCPSite(runner, url.hostname, url.port)
    try:
        await site.start()
    except OSError as error:
        raise EngineError(
            "failed", f"The engine cannot listen on {address} ({error.strerror}); set ENGINE_URL."
        ) from None


def _claim_socket(path: Path) -> None:
    """Make way for a socket: a private directory, and no file of an engine that is gone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise EngineError(
        "failed", f"Another engine already listens on {path}; stop it, or set ENGINE_URL."
    )


async def _loading(app: web.Application) -> AsyncIterator[None]:
    speech = app[SPEECH]
    loading = asyncio.create_task(speech.load(), name="load-models")
    yield
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    await speech.aclose()


async def _healthz(request: web.Request) -> web.Response:
    return web.json_response({"alive": True})


async def _metrics(request: web.Request) -> web.Response:
    metrics.show_components(request.app[SPEECH].readiness)
    body = generate_latest(metrics.REGISTRY)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _stt(request: web.Request) -> web.WebSocketResponse:
    speech = request.app[SPEECH]

    async def serve(socket: web.WebSocketResponse, start: dict[str, object]) -> None:
        await serve_stt(socket, start, speech.recogniser())

    return await serve_stream(request, "stt", serve)


async def _tts(request: web.Request) -> web.WebSocketResponse:
    speech = request.app[SPEECH]

    async def serve(socket: web.WebSocketResponse, start: dict[str, object]) -> None:
        await serve_tts(socket, start, speech.synthesizer)

    return await serve_stream(request, "tts", serve)
