"""A language model on other hardware: recorded streams of tokens at the pace of a GPU.

``replies.json`` holds what the default model answered to the callers' questions, token by
token. The delays are those of a model of that kind on a GPU of its own, drawn anew for each answer:
`FIRST_SECONDS` until the first token, then `TOKEN_SECONDS` for each, both with a log-normal spread.
"""

import asyncio
import json
import math
import random
import sys
from collections.abc import AsyncGenerator, Sequence
from importlib import resources
from itertools import count

from aiohttp import web

from agent.bench.voice import chat_stream
from agent.livekit.config import LOOPBACK

FIRST_SECONDS = 0.20
TOKEN_SECONDS = 0.022
_SPREAD = 0.3
_SEED = 9


def replies(language: str) -> list[list[str]]:
    """Return the recorded answers of a language, each as its tokens."""
    text = resources.files("agent.bench.voice").joinpath("replies.json").read_text("utf-8")
    recorded: dict[str, list[list[str]]] = json.loads(text)
    return recorded[language]


def application(recorded: Sequence[Sequence[str]]) -> web.Application:
    """Return a server of OpenAI's chat completions that gives the recorded answers in turn."""
    numbers = count()
    chance = random.Random(_SEED)

    def delay(seconds: float) -> float:
        return seconds * math.exp(chance.gauss(0.0, _SPREAD))

    async def answer(_: web.Request) -> AsyncGenerator[str, None]:
        tokens = recorded[next(numbers) % len(recorded)]
        await asyncio.sleep(delay(FIRST_SECONDS))
        for token in tokens:
            yield token
            await asyncio.sleep(delay(TOKEN_SECONDS))

    return chat_stream.application("replay", answer)


if __name__ == "__main__":
    web.run_app(application(replies(sys.argv[2])), host=LOOPBACK, port=int(sys.argv[1]), print=None)
