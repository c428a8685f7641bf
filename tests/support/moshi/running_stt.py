"""A moshi-server that hears, of each kind, behind one interface.

``batched`` is the fake of the module of type ``BatchedAsr``, which runs Kyutai's model; ``python``
that of ``PyBatchedAsr``, the one kind that the real server runs with a toy model: where it is
installed, it has to pass the same tests.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aiohttp

from tests.support.moshi.client import SOON
from tests.support.moshi.fake import TONES, fake_server
from tests.support.moshi.fake_ears import Ears
from tests.support.moshi.fake_stt import SpeechToText
from tests.support.moshi.real import EAR, real_server, server_binary
from tests.support.moshi.stub_stt import Dictation, load
from tests.support.moshi.tokenizer import FIRST_WORD

Kind = Literal["batched", "python", "real"]

SLOTS = 2
DELAY = 6
"""Steps after a word until it is written."""

KINDS: list[Kind] = ["batched", "python"]
if server_binary():
    KINDS.append("real")


@dataclass(frozen=True)
class Moshi:
    """A running server."""

    kind: Kind
    address: str

    async def used(self) -> int:
        """Return how many slots are taken, as it says itself."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.address}/api/modules_info") as response,
        ):
            modules = await response.json()
        return sum(int(module["used_slots"]) for module in modules)

    async def until_used(self, count: int) -> None:
        """Wait until so many are."""
        async with asyncio.timeout(SOON):
            while await self.used() != count:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(kind: Kind, directory: Path) -> AsyncIterator[Moshi]:
    """Run a server until the block ends; the real one's files go into the directory."""
    if kind == "real":
        binary = server_binary()
        assert binary
        async with real_server(binary, directory, batch_size=SLOTS, voice=None, ear=EAR) as real:
            yield Moshi("real", real.address)
    else:
        python = Dictation(SLOTS, str(TONES), FIRST_WORD) if kind == "python" else None
        ears = Ears(load(str(TONES)), SLOTS, delay=DELAY, python=python)
        async with fake_server(hearing=SpeechToText(ears)) as fake:
            yield Moshi(kind, fake.address)
