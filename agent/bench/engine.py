"""The engine under test: starting one of our own, and what it says and costs."""

import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from agent.bench.machine import Usage
from agent.bench.starting import until_ready
from agent.errors import UserError
from agent.readiness import UNIX_SCHEME, fetch_readiness
from agent.readiness_feed import first, told_by
from agent.settings import Settings
from agent.up.children import Child
from agent.up.large_pages import with_large_pages

_GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine.

    Attributes:
        address: What plugins are given.
        usage: Its process, or None when it is somebody else's.
    """

    address: str
    usage: Usage | None

    async def speculation(self) -> dict[str, float]:
        """Return how many early decodes were ``used``, ``missed`` and ``wasted`` so far."""
        return {
            sample.labels["outcome"]: sample.value
            for sample in await self._counters("eloquence_engine_speculation")
        }

    async def stand_ins(self) -> float:
        """Return how many clauses were spoken by another voice than the chosen one so far."""
        samples = await self._counters("eloquence_engine_voice_stand_ins")
        return sum(sample.value for sample in samples)

    async def _counters(self, name: str) -> list[Sample]:
        families = text_string_to_metric_families(await _metrics(self.address))
        return [
            sample
            for family in families
            if family.name == name
            for sample in family.samples
            if sample.name == f"{name}_total"
        ]


@asynccontextmanager
async def run_engine(settings: Settings, address: str | None) -> AsyncIterator[Engine]:
    """Start an engine with these settings on a private socket, or use the one at ``address``.

    Raises:
        UserError: It cannot serve.
    """
    if address is not None:
        readiness = await fetch_readiness(address)
        if readiness is None or not readiness.ready:
            raise UserError(f"--engine {address} is not ready; `eloquence status` says why.")
        yield Engine(address, None)
        return
    with tempfile.TemporaryDirectory(prefix="eloquence-bench-") as folder:
        address = f"{UNIX_SCHEME}{Path(folder) / 'engine.sock'}"
        lines: list[str] = []
        argv = [sys.executable, "-m", "agent", "engine"]
        env = with_large_pages({**os.environ, "ENGINE_URL": address})
        child = Child(argv, env, lines.append)
        try:
            await child.start()
            await until_ready(child, _ready(address), "engine")
            yield Engine(address, Usage(child.pid))
        finally:
            await child.stop(_GRACE_SECONDS)


async def _ready(address: str) -> None:
    # Not before the chosen models are there: others would be measured.
    answer = await first(told_by(address), lambda answer: bool(answer and answer.settled))
    if answer and not answer.ready:
        raise UserError(f"The engine cannot serve: {answer.failure}")


async def _metrics(address: str) -> str:
    connector, base = None, address
    if address.startswith(UNIX_SCHEME):
        connector, base = aiohttp.UnixConnector(address.removeprefix(UNIX_SCHEME)), "http://engine"
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"{base.rstrip('/')}/metrics", raise_for_status=True) as response,
    ):
        return await response.text()
