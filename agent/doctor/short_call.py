"""A real call of two seconds: somebody joins, the agent is dispatched, and is heard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

import aiohttp
from livekit import api, rtc

from agent.caller.access import SigningKey
from agent.caller.ear import Ear
from agent.caller.onset import OnsetConfig
from agent.caller.presence import AgentPresence
from agent.doctor.finding import Finding, fail, ok, warn
from agent.doctor.livekit_server import Server, server
from agent.settings import Settings

_LOOK = 0.02
_CONNECT = 2.5
_DISPATCH = 2.0
_GREETING = 4.0
_GOODBYE = 1.0
# Who calls expects to hear something by then.
_SLOW = 3.0


async def agent_answers(settings: Settings) -> Finding:
    """Call the agent, and hang up as soon as it speaks."""
    livekit = server(settings)
    access = SigningKey(
        livekit.url,
        livekit.key,
        livekit.secret,
        agent_name=settings.agent_name,
        language=settings.language,
    )
    async with _room(livekit) as (room, ear, presence):
        began = perf_counter()
        try:
            async with asyncio.timeout(_CONNECT):
                await access.join(room)
        except TimeoutError:
            return fail(
                f"{livekit.url} lets us in, but no media connection came about within "
                f"{_CONNECT:g} s",
                "check rtc.node_ip in the server's configuration, and its UDP port in the firewall",
            )
        connected = perf_counter() - began
        presence.look_round()
        if not await _until(lambda: presence.identity is not None, _DISPATCH):
            return fail(
                f"no agent {settings.agent_name!r} joined within {_DISPATCH:g} s",
                "see that AGENT_NAME is the same for worker and page, and whether the worker is "
                "full (MAX_CALLS)",
            )
        joined = perf_counter() - began
        if not await _until(lambda: bool(ear.speech) or presence.ended is not None, _GREETING):
            return fail(
                f"the agent joined, but was not heard within {_GREETING:g} s",
                "see the log of `eloquence worker`",
            )
        if not ear.speech:
            return fail(str(presence.ended).rstrip("."), "see the log of `eloquence worker`")
        heard = ear.start(ear.speech[0]) - began
    figures = {
        "connect_seconds": round(connected, 3),
        "agent_joined_seconds": round(joined, 3),
        "agent_heard_seconds": round(heard, 3),
    }
    told = f"the agent joined after {joined:.1f} s and was heard after {heard:.1f} s"
    if heard > _SLOW:
        return warn(told, "see whether the machine is busy, or MAX_CALLS too high", **figures)
    return ok(told, **figures)


@asynccontextmanager
async def _room(livekit: Server) -> AsyncIterator[tuple[rtc.Room, Ear, AgentPresence]]:
    """Give a room, and leave and delete it afterwards, so that the agent ends at once."""
    room, ear = rtc.Room(), Ear(OnsetConfig())
    presence = AgentPresence(room, ear)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_goodbye, room, livekit)
        stack.push_async_callback(ear.aclose)
        yield room, ear, presence


async def _goodbye(room: rtc.Room, livekit: Server) -> None:
    # What was found counts; the server removes an abandoned room by itself.
    with contextlib.suppress(TimeoutError, api.ServerError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(_GOODBYE):
            name = room.name if room.isconnected() else ""
            await room.disconnect()
            if name:
                async with api.LiveKitAPI(livekit.url, livekit.key, livekit.secret) as calls:
                    await calls.room.delete_room(api.DeleteRoomRequest(room=name))


async def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = perf_counter() + seconds
    while not condition():
        if perf_counter() >= deadline:
            return False
        await asyncio.sleep(_LOOK)
    return True
