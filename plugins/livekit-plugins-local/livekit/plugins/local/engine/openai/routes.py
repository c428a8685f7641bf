"""OpenAI's endpoints, and what each of them needs of the engine."""

import uuid

from aiohttp import web
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.openai.catalogue import describe_model, list_models
from livekit.plugins.local.engine.openai.errors import answering
from livekit.plugins.local.engine.openai.speech import speak
from livekit.plugins.local.engine.openai.tasks import while_connected
from livekit.plugins.local.engine.openai.transcription import transcribe
from livekit.plugins.local.engine.openai.uploads import Uploads

_PATHS = ("/v1/audio/", "/v1/models")


def add_openai_routes(app: web.Application, key: web.AppKey[Speech]) -> None:
    """Add the endpoints to an application that holds the models under ``key``."""
    uploads = Uploads()

    async def speech(request: web.Request) -> web.StreamResponse:
        with metrics.STREAMS.labels("tts").track_inprogress():
            return await while_connected(request, speak(request, request.app[key].synthesizer))

    async def transcriptions(request: web.Request) -> web.StreamResponse:
        with metrics.STREAMS.labels("stt").track_inprogress():
            return await while_connected(request, transcribe(request, request.app[key], uploads))

    async def models(request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": list_models(request.app[key])})

    async def model(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        return web.json_response(describe_model(request.app[key], name))

    app.on_response_prepare.append(_identify)
    app.router.add_post("/v1/audio/speech", answering(speech))
    app.router.add_post("/v1/audio/transcriptions", answering(transcriptions))
    app.router.add_get("/v1/models", answering(models))
    app.router.add_get("/v1/models/{name:.+}", answering(model))


async def _identify(request: web.Request, response: web.StreamResponse) -> None:
    """Give an answer a name of its own, which clients look for."""
    if request.path.startswith(_PATHS):
        response.headers["X-Request-Id"] = f"req_{uuid.uuid4().hex}"
