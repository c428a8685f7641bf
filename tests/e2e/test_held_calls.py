"""A call that nobody could take is held, and gets its agent: on a real server, without a worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from livekit import api, rtc
from livekit.plugins.local.readiness import Component, Readiness
from livekit.plugins.local.readyz import Readyz
from livekit.protocol.agent_dispatch import AgentDispatch
from pydantic import SecretStr

from agent.settings import Settings
from agent.web import held_calls
from agent.web.app import create_app
from agent.worker.redispatch import Calls
from tests.support.livekit import RunningLiveKit
from tests.support.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.waits]


@dataclass
class Desk:
    """The web process, beside a worker of which only its readiness is there."""

    client: "TestClient[web.Request, web.Application]"
    worker: Readiness
    server: api.LiveKitAPI
    livekit: RunningLiveKit
    worker_port: int
    _worker: TestServer | None = None

    async def start_worker(self) -> None:
        """Let its readiness be heard."""
        health = web.Application()
        Readyz(self.worker).add_routes(health)
        self._worker = TestServer(health, port=self.worker_port)
        await self._worker.start_server()

    async def kill_worker(self) -> None:
        """Let nobody answer in its place."""
        if self._worker:
            await self._worker.close()
            self._worker = None

    async def answer_as_agent(self, name: str) -> rtc.Room:
        """Enter a call as an agent does."""
        token = (
            api.AccessToken(self.livekit.api_key, self.livekit.api_secret)
            .with_identity("agent")
            .with_kind("agent")
            .with_grants(api.VideoGrants(room_join=True, room=name, agent=True))
        )
        room = rtc.Room()
        await room.connect(self.livekit.url, token.to_jwt())
        return room

    async def worker_is(self, state: str) -> None:
        """Wait until the page is told this of the worker."""
        async with asyncio.timeout(20):
            while True:
                async with self.client.get("/readyz") as response:
                    body = await response.json()
                if body["components"]["worker"]["state"] == state:
                    return
                await asyncio.sleep(0.05)

    async def call(self, metadata: str) -> tuple[str, rtc.Room]:
        """Place a call; return its room's name, and the room entered."""
        body = {"room_config": {"agents": [{"metadata": metadata}]}}
        async with self.client.post("/token", json=body) as response:
            answer = await response.json()
        room = rtc.Room()
        await room.connect(answer["server_url"], answer["participant_token"])
        return answer["room_name"], room

    async def dispatch_after(self, room: str, earlier: str) -> AgentDispatch:
        """Wait for another dispatch than an earlier one, and return it; it is the only one."""
        async with asyncio.timeout(20):
            while True:
                found = await self.server.agent_dispatch.list_dispatch(room)
                if found and found[0].id != earlier:
                    (dispatch,) = found
                    return dispatch
                await asyncio.sleep(0.05)


@pytest.fixture
async def desk(livekit: RunningLiveKit, tmp_path: Path) -> AsyncIterator[Desk]:
    worker, port = Readiness(["engine"]), free_port()
    settings = Settings(
        livekit_url=livekit.url,
        livekit_api_key=livekit.api_key,
        livekit_api_secret=SecretStr(livekit.api_secret),
        worker_port=port,
        agent_name="held",
    )
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret)
        )
        client = await stack.enter_async_context(
            TestClient(TestServer(create_app(settings, tmp_path)))
        )
        desk = Desk(client, worker, server, livekit, port)
        stack.push_async_callback(desk.kill_worker)
        await desk.start_worker()
        yield desk


async def test_a_call_is_held_until_the_worker_is_ready_and_the_agent_is_called_again(
    desk: Desk,
) -> None:
    name, room = await desk.call('{"language": "fr"}')
    try:
        (unheard,) = await desk.server.agent_dispatch.list_dispatch(name)
        await asyncio.sleep(1.5)  # longer than an agent on its way is left alone
        (same,) = await desk.server.agent_dispatch.list_dispatch(name)
        assert same.id == unheard.id, "nothing is done while nobody could come"
        desk.worker.set("engine", Component("ready"))
        again = await desk.dispatch_after(name, unheard.id)
        assert (again.agent_name, again.metadata) == ("held", '{"language": "fr"}')
    finally:
        await room.disconnect()


async def test_a_call_that_the_server_gave_to_nobody_is_given_again(desk: Desk) -> None:
    """As when LiveKit has been restarted, and the worker has not noticed yet."""
    desk.worker.set("engine", Component("ready"))
    name, room = await desk.call("")
    try:
        (unheard,) = await desk.server.agent_dispatch.list_dispatch(name)
        again = await desk.dispatch_after(name, unheard.id)
        assert again.agent_name == "held"
    finally:
        await room.disconnect()


async def test_a_held_call_whose_worker_dies_and_comes_back_gets_one_agent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two see to it that it is answered: the web process, and who starts workers again."""
    monkeypatch.setattr(held_calls, "_AGAIN_SECONDS", 0.2)
    calls = Calls(desk.livekit.url, desk.livekit.api_key, desk.livekit.api_secret, "held")
    await desk.worker_is("loading")
    name, room = await desk.call("")
    (held,) = [task for task in asyncio.all_tasks() if task.get_name() == "held-call"]
    try:
        (unheard,) = await desk.server.agent_dispatch.list_dispatch(name)
        await desk.kill_worker()
        await calls.dismiss(at_once=True)
        await desk.worker_is("missing")
        await asyncio.sleep(2)  # longer than the web process lets a call be without any dispatch
        assert await desk.server.agent_dispatch.list_dispatch(name) == [], "nobody is there"
        await desk.start_worker()
        desk.worker.set("engine", Component("ready"))
        await desk.worker_is("ready")
        await calls.recall()
        again = await desk.dispatch_after(name, unheard.id)
        agent = await desk.answer_as_agent(name)
        await asyncio.wait({held}, timeout=20)
        assert held.done(), "the web process has seen the agent"
        (only,) = await desk.server.agent_dispatch.list_dispatch(name)
        assert only.id == again.id
        await agent.disconnect()
    finally:
        await room.disconnect()
