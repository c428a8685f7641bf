"""The project's engine with a deterministic voice and ear, as a server for the kit."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import aiohttp

from tests.conformance.kit.backend import Behaviour, Journal


class EngineServer:
    """A handle on the running process; see `Backend`."""

    def __init__(self, address: str, control: str = "") -> None:
        self.address = address
        # Where it takes the kit's orders, if not there, too.
        self._control = control or address

    async def behave(self, behaviour: Behaviour) -> None:
        """Behave like this from now on."""
        await self._post("/kit/behave", asdict(behaviour))

    async def journal(self) -> Journal:
        """Return what was seen since the last reset."""
        return Journal(**await self._post("/kit/journal", {}))

    async def reset(self) -> None:
        """End all work and begin anew."""
        await self._post("/kit/reset", {})

    async def _post(self, path: str, body: object) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._control + path, json=body) as response,
        ):
            response.raise_for_status()
            found: dict[str, Any] = await response.json()
            return found


@contextmanager
def engine_server(voice: str = "", **environment: str) -> Iterator[EngineServer]:
    """Start the engine on a TCP port of loopback; it ends with the block.

    Args:
        voice: A real voice, such as ``hibari/heart``; empty for one that speaks in tones.
        **environment: What the engine needs besides, see `real`.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.engine_server", *filter(None, [voice])],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C in the terminal is for the kit, which then ends the server.
        start_new_session=True,
    )
    assert process.stdout and process.stdin
    try:
        if not (line := process.stdout.readline()):
            raise RuntimeError("the kit's engine did not start; what it said is above")
        yield EngineServer(json.loads(line)["address"])
    finally:
        # The end of its input ends it, even if this process is killed.
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
