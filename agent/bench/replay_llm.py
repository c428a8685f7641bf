"""A language model on other hardware: recorded streams of tokens at the pace of a GPU.

``voice_replies.json`` holds what the default model answered to the callers' questions, token by
token. The delays are those of a model of that kind on a GPU of its own, drawn anew for each answer:
`FIRST_SECONDS` until the first token, then `TOKEN_SECONDS` for each, both with a log-normal spread.
"""

import asyncio
import json
import math
import random
import sys
from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import count

from aiohttp import web

from agent.livekit.config import LOOPBACK

FIRST_SECONDS = 0.20
TOKEN_SECONDS = 0.022
_SPREAD = 0.3
_SEED = 9


def replies(language: str) -> list[list[str]]:
    """Return the recorded answers of a language, each as its tokens."""
    text = resources.files("agent.bench").joinpath("voice_replies.json").read_text("utf-8")
    recorded: dict[str, list[list[str]]] = json.loads(text)
    return recorded[language]


def application(recorded: Sequence[Sequence[str]]) -> web.Application:
    """Return a server of OpenAI's chat completions that gives the recorded answers in turn."""
    numbers = count()
    chance = random.Random(_SEED)

    def delay(seconds: float) -> float:
        return seconds * math.exp(chance.gauss(0.0, _SPREAD))

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "replay", "object": "model"}]})

    async def complete(request: web.Request) -> web.StreamResponse:
        tokens = recorded[next(numbers) % len(recorded)]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(delay(FIRST_SECONDS))
        for token in tokens:
            await _send(response, {"content": token}, None)
            await asyncio.sleep(delay(TOKEN_SECONDS))
        await _send(response, {}, "stop")
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", complete)
    return app


async def _send(response: web.StreamResponse, delta: Mapping[str, str], finish: str | None) -> None:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
    chunk = {
        "id": "chatcmpl-replay",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "replay",
        "choices": [choice],
    }
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


if __name__ == "__main__":
    web.run_app(application(replies(sys.argv[2])), host=LOOPBACK, port=int(sys.argv[1]), print=None)
