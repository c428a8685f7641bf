"""``python -m tests.conformance.moshi_server``: serves until its input ends.

With ``--real PATH`` the server is that moshi-server, which speaks, or with ``--ear`` hears;
otherwise it is the fake, which does both.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.conformance.moshi_server.front import Front
from tests.support.moshi.control import Control, Controller
from tests.support.moshi.fake import TONES, fake_server
from tests.support.moshi.fake_ears import Ears
from tests.support.moshi.fake_stt import SpeechToText
from tests.support.moshi.fake_tts import PATH
from tests.support.moshi.kit_ear import KitTold
from tests.support.moshi.kit_voice import KitVoice
from tests.support.moshi.real import Script, real_server
from tests.support.moshi.stub_stt import load
from tests.support.moshi.tokenizer import FIRST_WORD

SLOTS = 64


class Kit:
    """Takes the kit's orders, and passes them on to the front and to the models."""

    def __init__(self, front: Front, controller: Controller, server: str) -> None:
        self._front = front
        self._controller = controller
        self._server = server
        self._failures = 0
        self._session = aiohttp.ClientSession()

    def add_routes(self, app: web.Application) -> None:
        """Add the routes of the orders."""
        app.router.add_post("/kit/behave", self._behave)
        app.router.add_post("/kit/journal", self._journal)
        app.router.add_post("/kit/reset", self._reset)

    async def watch(self) -> None:
        """Cut the connections when a model says that it fails."""
        while True:
            failures = self._controller.journal().get("failures", 0)
            if failures > self._failures:
                await self._front.cut()
            self._failures = failures
            await asyncio.sleep(0.005)

    async def aclose(self) -> None:
        """Close what it holds."""
        await self._session.close()

    async def _behave(self, request: web.Request) -> web.Response:
        behaviour = await request.json()
        self._front.refusals = behaviour["refusals"]
        self._front.refuse_status = behaviour["refuse_status"]
        self._controller.behave(behaviour)
        return web.json_response({})

    async def _journal(self, _: web.Request) -> web.Response:
        journal = self._controller.journal()
        slots = await self._slots()
        over = journal.pop("ended", 0) + journal.pop("failures", 0)
        # No model is told that nobody listens any more; the slots tell it.
        cancelled = len(journal.get("spoken", [])) - over - slots.get(PATH, 0)
        found = {
            "requests": self._front.requests,
            "active": sum(slots.values()),
            "cancelled": max(0, cancelled),
        }
        return web.json_response({**journal, **found})

    async def _reset(self, _: web.Request) -> web.Response:
        """Answer once the work of the case before has ended."""
        await self._front.cut()
        self._controller.reset()
        # A plugin that tries again may have come back meanwhile.
        while sum((await self._slots()).values()) > self._front.open:
            await asyncio.sleep(0.005)
        self._front.requests = self._front.refusals = 0
        return web.json_response({})

    async def _slots(self) -> dict[str, int]:
        """Return how many slots are taken, by the module's path."""
        async with self._session.get(f"{self._server}/api/modules_info") as response:
            modules = await response.json()
        return {module["path"]: int(module["used_slots"]) for module in modules}


@asynccontextmanager
async def _server(real: Path | None, directory: Path, *, hears: bool) -> AsyncIterator[str]:
    """Run the server; a real one speaks, or hears."""
    voice: dict[str, Any] = {"control": str(directory), "tones": str(TONES)}
    if real and hears:
        ear = Script("kit_ear.py", {**voice, "first_word": FIRST_WORD})
        async with real_server(real, directory, batch_size=SLOTS, voice=None, ear=ear) as server:
            yield server.address
    elif real:
        model = Script("kit_voice.py", voice)
        async with real_server(real, directory, batch_size=SLOTS, voice=model) as server:
            yield server.address
    else:
        told = KitTold(Control(str(directory), "ear"))
        hearing = SpeechToText(Ears(load(str(TONES)), SLOTS, delay=6, told=told))
        async with fake_server(
            batch_size=SLOTS, model=KitVoice(SLOTS, **voice), hearing=hearing
        ) as fake:
            yield fake.address


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--real", type=Path)
    parser.add_argument("--ear", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        controller = Controller(Path(folder))
        async with _server(options.real, Path(folder), hears=options.ear) as address:
            front = Front(address)
            kit = Kit(front, controller, address)
            app = web.Application()
            kit.add_routes(app)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            watching = asyncio.create_task(kit.watch())
            control = f"http://127.0.0.1:{runner.addresses[0][1]}"
            print(json.dumps({"address": await front.start(), "control": control}), flush=True)
            try:
                await asyncio.to_thread(sys.stdin.read)
            finally:
                watching.cancel()
                await front.aclose()
                await kit.aclose()
                await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_main())
