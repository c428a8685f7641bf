"""What every conversation begins with is read once, when the language model is there.

A caller who is greeted may ask at once, and on two cores the instructions take seconds to read.
They stay in each slot of the server: the next conversation there begins with the same words.
"""

import asyncio
from contextlib import suppress

import aiohttp

from agent.call.instructions import instructions
from agent.call.phrases import greeting
from agent.llm.llama import LlamaServer
from agent.llm.slots import SLOTS
from agent.settings import Settings


def read_beginning(settings: Settings) -> None:
    """Read the instructions and the greeting into every slot, one after the other."""
    asyncio.run(_read(settings))


async def _read(settings: Settings) -> None:
    beginning = [
        {"role": "system", "content": instructions(settings)},
        {"role": "assistant", "content": greeting(settings, settings.language)},
    ]
    for slot in range(SLOTS):
        server = LlamaServer(settings, slot)
        # Only a preparation: a server that does not answer is noticed by those who wait for it.
        with suppress(aiohttp.ClientError, TimeoutError, ValueError):
            await server.read(beginning, "")
        await server.aclose()
