"""Bringing the agent back into calls, on a real server without any worker."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest
from livekit import api, rtc
from livekit.protocol.agent_dispatch import AgentDispatch

from agent.errors import UserError
from agent.livekit.patience import patiently
from agent.worker.redispatch import Calls
from tests.support.livekit import RunningLiveKit
from tests.support.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.waits]

Join = Callable[..., Coroutine[Any, Any, rtc.Room]]


@pytest.fixture
async def server(livekit: RunningLiveKit) -> AsyncIterator[api.LiveKitAPI]:
    async with api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as connected:
        yield connected


@pytest.fixture
async def join(livekit: RunningLiveKit) -> AsyncIterator[Join]:
    """Enter a room as a caller that asks for an agent."""
    async with AsyncExitStack() as stack:

        async def enter(name: str, agent: str) -> rtc.Room:
            token = (
                api.AccessToken(livekit.api_key, livekit.api_secret)
                .with_identity("somebody")
                .with_grants(api.VideoGrants(room_join=True, room=name))
                .with_room_config(
                    api.RoomConfiguration(
                        agents=[api.RoomAgentDispatch(agent_name=agent, metadata="fr")]
                    )
                )
            )
            room = rtc.Room()
            await room.connect(livekit.url, token.to_jwt())
            stack.push_async_callback(room.disconnect)
            return room

        yield enter


def calls(livekit: RunningLiveKit, **overrides: str) -> Calls:
    known = {"url": livekit.url, "api_key": livekit.api_key, "api_secret": livekit.api_secret}
    return Calls(**{**known, **overrides}, agent_name="ours")


async def dispatches(server: api.LiveKitAPI, room: str) -> list[AgentDispatch]:
    return list(await patiently(lambda: server.agent_dispatch.list_dispatch(room)))


async def test_a_call_gets_one_new_dispatch_however_often_that_happens(
    livekit: RunningLiveKit, server: api.LiveKitAPI, join: Join
) -> None:
    await join("busy", "ours")
    before = await dispatches(server, "busy")
    ours = calls(livekit)
    for _ in range(5):
        await ours.dismiss()
        assert await dispatches(server, "busy") == []
        await ours.recall()
    (after,) = await dispatches(server, "busy")
    assert after.id not in {each.id for each in before}
    assert (after.agent_name, after.metadata) == ("ours", "fr")


async def test_calls_of_other_agents_are_left_alone(
    livekit: RunningLiveKit, server: api.LiveKitAPI, join: Join
) -> None:
    await join("theirs", "another")
    before = await dispatches(server, "theirs")
    ours = calls(livekit)
    await ours.dismiss()
    await ours.recall()
    assert [each.id for each in await dispatches(server, "theirs")] == [each.id for each in before]


async def test_nobody_is_called_to_where_nobody_is_left(
    livekit: RunningLiveKit, server: api.LiveKitAPI, join: Join
) -> None:
    room = await join("left", "ours")
    ours = calls(livekit)
    await ours.dismiss()
    await room.disconnect()
    await ours.recall()
    assert await dispatches(server, "left") == []


async def test_a_server_that_is_gone_is_one_sentence(livekit: RunningLiveKit) -> None:
    gone = calls(livekit, url=f"ws://127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match="LIVEKIT_URL") as raised:
        await gone.dismiss()
    assert livekit.api_secret not in str(raised.value)
