"""A moshi-server that speaks, fake or real, behind one interface: tests run with both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.support.moshi.client import SOON
from tests.support.moshi.fake import TONES, fake_server
from tests.support.moshi.fake_tts import PATH, Clock
from tests.support.moshi.real import Script, real_server, server_binary


@dataclass(frozen=True)
class Moshi:
    """A running server.

    Attributes:
        address: Where it listens, ``http://HOST:PORT``.
        ping: Seconds between its pings.
    """

    address: str
    ping: float

    async def used(self) -> int:
        """Return how many slots of its voice are taken, as it says itself."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.address}/api/modules_info") as answer,
        ):
            modules = await answer.json()
        return next(int(module["used_slots"]) for module in modules if module["path"] == PATH)

    async def until_used(self, count: int) -> None:
        """Wait until so many are."""
        async with asyncio.timeout(SOON):
            while await self.used() != count:
                await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Kind:
    """Which server.

    Attributes:
        binary: The real one's program; None is the fake.
    """

    binary: Path | None

    @asynccontextmanager
    async def running(
        self, directory: Path, *, batch_size: int = 2, step_seconds: float = 0.0, ping: float = 10.0
    ) -> AsyncIterator[Moshi]:
        """Run a server until the block ends.

        Args:
            directory: Where the real one's files go.
            batch_size: Its slots.
            step_seconds: How long a step of its voice takes.
            ping: Seconds between the fake's pings; those of the real one cannot be changed.
        """
        if self.binary is None:
            async with fake_server(
                batch_size=batch_size, clock=Clock(ping), step_seconds=step_seconds
            ) as fake:
                yield Moshi(fake.address, ping)
        else:
            voice = Script("stub_tts.py", {"tones": str(TONES), "step_seconds": step_seconds})
            async with real_server(
                self.binary, directory, batch_size=batch_size, voice=voice
            ) as real:
                yield Moshi(real.address, 10.0)


def kinds() -> dict[str, Kind]:
    """Return the fake, and the real server where ``MOSHI_SERVER_BIN`` names one."""
    binary = server_binary()
    return {"fake": Kind(None)} | ({"real": Kind(binary)} if binary else {})


def every_server() -> pytest.MarkDecorator:
    """Run a test with each of the `kinds`."""
    return pytest.mark.parametrize("kind", kinds().values(), ids=kinds())
