"""A fake moshi-server: its protocol with toy models, on a port of loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests.support.moshi import fake_voice
from tests.support.moshi.fake_channels import Model
from tests.support.moshi.fake_ears import Ears
from tests.support.moshi.fake_stt import SpeechToText
from tests.support.moshi.fake_tts import Clock, TextToSpeech
from tests.support.moshi.stub_tts import Tones, load

TONES = Path(__file__).parents[2] / "conformance" / "kit" / "tones.py"


@dataclass
class FakeServer:
    """A running fake.

    Attributes:
        address: Where it listens, ``http://HOST:PORT``.
        speech: Its text-to-speech module.
        hearing: Its speech-to-text module.
    """

    address: str
    speech: TextToSpeech
    hearing: SpeechToText


@asynccontextmanager
async def fake_server(
    *,
    batch_size: int = 2,
    clock: Clock | None = None,
    model: Model | None = None,
    step_seconds: float = 0.0,
    hearing: SpeechToText | None = None,
    app: web.Application | None = None,
) -> AsyncIterator[FakeServer]:
    """Run a fake on this loop until the block ends.

    Args:
        batch_size: Its slots.
        clock: Its timers.
        model: Its model; None speaks in tones.
        step_seconds: How long a step of that takes.
        hearing: Its speech-to-text module; None hears tones.
        app: What else it serves.
    """
    model = model or Tones(batch_size, str(TONES), step_seconds)
    speech = TextToSpeech(model, batch_size, clock or Clock())
    hearing = hearing or SpeechToText(Ears(load(str(TONES)), batch_size, delay=6))
    app = app or web.Application()
    speech.add_routes(app)
    hearing.add_routes(app)
    fake_voice.add_routes(app)
    _add_common(app, speech, hearing)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield FakeServer(f"http://127.0.0.1:{runner.addresses[0][1]}", speech, hearing)
    finally:
        await speech.aclose()
        await hearing.aclose()
        await runner.cleanup()


def _add_common(app: web.Application, speech: TextToSpeech, hearing: SpeechToText) -> None:
    async def build_info(_: web.Request) -> web.Response:
        return web.json_response({"build_timestamp": "", "git_hash": "", "rustc_version": ""})

    async def modules_info(_: web.Request) -> web.Response:
        return web.json_response([speech.info(), hearing.info()])

    async def metrics(_: web.Request) -> web.Response:
        # The real ones come into being when they are first counted.
        used = speech.channels.used
        return web.Response(text=f"py_open_channels {used}\n" if speech.channels.began else "")

    async def no_file(request: web.Request) -> web.Response:
        # Everything else is a folder of files, to which nothing can be posted.
        return web.Response(status=404 if request.method == "GET" else 405)

    app.router.add_get("/api/build_info", build_info)
    app.router.add_get("/api/modules_info", modules_info)
    app.router.add_get("/metrics", metrics)
    app.router.add_route("*", "/{path:.*}", no_file)
