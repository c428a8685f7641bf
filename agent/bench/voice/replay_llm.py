"""A language model on other hardware: recorded streams of tokens at the pace of a GPU.

``replies.json`` holds what the default model answered to the callers' questions, token by
token. The delays are those of a model of that kind on a GPU of its own, drawn anew for each answer:
`FIRST_SECONDS` until the first token, then `TOKEN_SECONDS` for each, both with a log-normal spread.

``completeness.json`` holds how complete that model takes the questions for, and what is said of
them before a hesitation; what a caller says has that of the text that is most like it.
"""

import asyncio
import json
import math
import random
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from difflib import SequenceMatcher
from importlib import resources
from itertools import count

from aiohttp import web

from agent.bench.voice import chat_stream
from agent.livekit.config import LOOPBACK

FIRST_SECONDS = 0.20
TOKEN_SECONDS = 0.022
# A prompt that is in the cache but for a few tokens, and one token.
JUDGED_SECONDS = 0.04
_SPREAD = 0.3
_LEAST = 1e-9
_SEED = 9


def replies(language: str) -> list[list[str]]:
    """Return the recorded answers of a language, each as its tokens."""
    text = resources.files("agent.bench.voice").joinpath("replies.json").read_text("utf-8")
    recorded: dict[str, list[list[str]]] = json.loads(text)
    return recorded[language]


def completeness(language: str) -> dict[str, float]:
    """Return how complete the texts of a language are, in [0, 1]."""
    text = resources.files("agent.bench.voice").joinpath("completeness.json").read_text("utf-8")
    recorded: dict[str, dict[str, float]] = json.loads(text)
    return recorded[language]


def application(
    recorded: Sequence[Sequence[str]], complete: Mapping[str, float]
) -> web.Application:
    """Return a server of OpenAI's chat completions that gives the recorded answers in turn.

    Args:
        recorded: The answers.
        complete: How complete texts are.
    """
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

    async def follows(said: str) -> dict[str, float]:
        await asyncio.sleep(delay(JUDGED_SECONDS))
        nearest = max(complete, key=lambda text: SequenceMatcher(None, said, text).ratio())
        return {".": complete[nearest] or _LEAST, " and": 1 - complete[nearest] or _LEAST}

    return chat_stream.application("replay", answer, follows)


if __name__ == "__main__":
    spoken = sys.argv[2]
    app = application(replies(spoken), completeness(spoken))
    web.run_app(app, host=LOOPBACK, port=int(sys.argv[1]), print=None)
