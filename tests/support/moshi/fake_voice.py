"""The route of the fake moshi-server's module of type ``PyPost``: a recording becomes a voice."""

import io
import wave

import msgpack
import numpy as np
from aiohttp import web

from tests.support.moshi.stub_voice import Loudness

PATH = "/api/voice"

_LARGEST = 16 * 1024 * 1024
_SAMPLES = 240_000


def add_routes(app: web.Application) -> None:
    """Add the module's route; it asks for no key."""
    app.router.add_post(PATH, _voice)


async def _voice(request: web.Request) -> web.Response:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > _LARGEST:
            return web.Response(status=413)
    try:
        with wave.open(io.BytesIO(body)) as recording:
            data = recording.readframes(_SAMPLES)
    except (wave.Error, EOFError):
        return web.Response(status=500)
    pcm = np.zeros(_SAMPLES, np.float32)
    heard = np.frombuffer(data, "<i2")
    pcm[: len(heard)] = heard / 32768
    values = Loudness().run_one(pcm)
    message = {
        "type": "Voice",
        "embeddings": values.ravel().tolist(),
        "shape": list(values.shape),
    }
    return web.Response(body=msgpack.packb(message, use_single_float=True))
