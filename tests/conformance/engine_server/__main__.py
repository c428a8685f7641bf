"""``python -m tests.conformance.engine_server [VOICE]``: serves until its input ends.

It speaks in tones, or with a voice of the product such as ``hibari/heart``. ``openai/NAME`` is a
voice of the server whose base URL is in the environment variable ``SPEECH_SERVER``.
"""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import cast
from unittest.mock import patch

from aiohttp import web
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.scheduler import Scheduler
from livekit.plugins.local.engine.server import SPEECH, add_routes
from livekit.plugins.local.engine.stt import stream as stream_module
from livekit.plugins.local.engine.stt.stream import Recogniser
from livekit.plugins.local.engine.tts.recovery import Patience
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.readiness import Readiness

from tests.conformance.engine_server.models import LoudnessActivity, State, ToneEar, ToneVoice
from tests.conformance.engine_server.real import real_voice
from tests.conformance.kit.backend import Behaviour

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATE = web.AppKey("state", State)


class _Speech:
    """Stands where the loaded models are."""

    def __init__(self, recogniser: Recogniser, synthesizer: Synthesizer) -> None:
        self._recogniser = recogniser
        self.synthesizer = synthesizer
        self.readiness = Readiness([])

    def recogniser(self) -> Recogniser:
        return self._recogniser


@web.middleware
async def _watched(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the requests, and refuse those that the behaviour says."""
    state = request.app[STATE]
    if request.path.startswith("/kit/"):
        return await handler(request)
    journal, behaviour = state.journal, state.behaviour
    journal.requests += 1
    if behaviour.refusals:
        behaviour.refusals -= 1
        body = {"error": {"message": "refused, as the kit was told", "type": "kit", "code": None}}
        return web.json_response(body, status=behaviour.refuse_status)
    journal.active += 1
    try:
        response = await handler(request)
        if behaviour.nonsense and isinstance(response, web.Response):
            return web.json_response({})
        return response
    finally:
        journal.active -= 1


async def _behave(request: web.Request) -> web.Response:
    request.app[STATE].behaviour = Behaviour(**await request.json())
    return web.json_response({})


async def _journal(request: web.Request) -> web.Response:
    return web.json_response(asdict(request.app[STATE].journal))


async def _reset(request: web.Request) -> web.Response:
    """Answer once the work of the case before has ended: it would hold the models' threads."""
    state = request.app[STATE]
    before = state.journal
    state.reset()
    for _ in range(200):
        if not before.active:
            break
        await asyncio.sleep(0.005)
    return web.json_response({})


class _Misbehaving(web.WebSocketResponse):
    """Sends odd pieces of audio, or messages without content, when the behaviour wants it."""

    state: State

    async def send_str(self, data: str, compress: int | None = None) -> None:
        if self.state.behaviour.nonsense:
            data = json.dumps({"type": json.loads(data)["type"]})
        await super().send_str(data, compress)

    async def send_bytes(self, data: bytes, compress: int | None = None) -> None:
        if not self.state.behaviour.odd_chunks:
            await super().send_bytes(data, compress)
            return
        for at in range(0, len(data), 1001):
            await super().send_bytes(data[at : at + 1001], compress)


@asynccontextmanager
async def _running(voice: str) -> AsyncIterator[int]:
    state = State()
    _Misbehaving.state = state
    scheduler = Scheduler("tones")
    engine = real_voice(voice, state) if voice else ToneVoice(state)
    configured = {"en": voice} if voice else {"en": "tone/a", "fr": "tone/a"}
    # The engine itself gives up on a voice that stalls; here the plugin is to do it.
    patience = Patience(short=60.0) if voice else None
    synthesizer = Synthesizer([engine], configured, patience=patience)
    await synthesizer.load(engine.name)
    with (
        patch.object(web, "WebSocketResponse", _Misbehaving),
        patch.object(stream_module, "VoiceActivity", partial(LoudnessActivity, state)),
        ThreadPoolExecutor(2) as vad_threads,
    ):
        app = web.Application(middlewares=[_watched])
        app[STATE] = state
        recogniser = Recogniser(ToneEar(state), scheduler, 5, vad_threads)
        app[SPEECH] = cast(Speech, _Speech(recogniser, synthesizer))
        add_routes(app)
        app.router.add_post("/kit/behave", _behave)
        app.router.add_post("/kit/journal", _journal)
        app.router.add_post("/kit/reset", _reset)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield runner.addresses[0][1]
        finally:
            state.reset()
            await runner.cleanup()
            synthesizer.close()
            await scheduler.aclose()


async def _main(voice: str) -> None:
    async with _running(voice) as port:
        print(json.dumps({"address": f"http://127.0.0.1:{port}"}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    # What the kit makes it do wrong is no news.
    logging.getLogger("livekit.plugins.local").setLevel(logging.ERROR)
    asyncio.run(_main(*sys.argv[1:] or [""]))
