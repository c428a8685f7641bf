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
from agent.web.app import create_app
from tests.support.livekit import RunningLiveKit
from tests.support.ports import free_port

pytestmark = pytest.mark.e2e


@dataclass
class Desk:
    """The web process, beside a worker of which only its readiness is there."""

    client: "TestClient[web.Request, web.Application]"
    worker: Readiness
    server: api.LiveKitAPI

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
    health = web.Application()
    Readyz(worker).add_routes(health)
    settings = Settings(
        livekit_url=livekit.url,
        livekit_api_key=livekit.api_key,
        livekit_api_secret=SecretStr(livekit.api_secret),
        worker_port=port,
        agent_name="held",
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(TestServer(health, port=port))
        server = await stack.enter_async_context(
            api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret)
        )
        client = await stack.enter_async_context(
            TestClient(TestServer(create_app(settings, tmp_path)))
        )
        yield Desk(client, worker, server)


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
