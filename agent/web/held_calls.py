"""Calls that were placed and that no agent has answered yet.

LiveKit asks its workers once, when a room opens. A call that is placed while nobody can take it, or
while LiveKit has forgotten the worker and the worker does not know it yet, would never be answered.
So this process remembers every call that it let in until somebody answers it, and calls the agent
into that very room as soon as a worker can come.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from enum import Enum, auto
from math import inf
from typing import Any, Final

import aiohttp
from aiohttp import web
from livekit import api
from livekit.protocol.agent import JobStatus
from livekit.protocol.agent_dispatch import AgentDispatch
from livekit.protocol.models import ParticipantInfo

from agent.web.access import LiveKitAccess
from agent.web.health import WebHealth

logger = logging.getLogger(__name__)

# An agent that is on its way needs no help for as long.
_GRACE_SECONDS: Final = 1.0
# Who is not in the room for so long has hung up, or finds an agent later the usual way.
_ARRIVAL_SECONDS: Final = 60.0
# A worker that did not come may have been full.
_AGAIN_SECONDS: Final = 5.0
# After this, the token has expired, and whoever still waits has hung up.
_LONGEST_SECONDS: Final = 15 * 60.0
_MOST: Final = 200
_LIMITS: Final = aiohttp.ClientTimeout(total=5)
_ALIVE: Final = (JobStatus.JS_PENDING, JobStatus.JS_RUNNING)


class _Found(Enum):
    """Where a call stands."""

    ABSENT = auto()
    UNANSWERED = auto()
    ON_ITS_WAY = auto()
    ANSWERED = auto()
    UNKNOWN = auto()


class HeldCalls:
    """Sees to it that every call gets its agent.

    Args:
        livekit: The server.
        agent_name: The agent that answers every call.
        health: Knows whether a worker can take a call.
    """

    def __init__(self, livekit: LiveKitAccess, agent_name: str, health: WebHealth) -> None:
        self._livekit = livekit
        self._agent_name = agent_name
        self._health = health
        self._server: api.LiveKitAPI
        self._tasks: set[asyncio.Task[None]] = set()

    def work_in(self, app: web.Application) -> None:
        """Work while the application runs."""
        app.cleanup_ctx.append(self._working)

    def expect(self, room: str, metadata: str) -> None:
        """Take care of a call whose caller was let in.

        Args:
            room: Its room.
            metadata: For the agent's job.
        """
        if len(self._tasks) < _MOST:  # those who ask for more than that do not call
            self._start(self._attend(room, metadata))

    async def _working(self, _: web.Application) -> AsyncIterator[None]:
        async with api.LiveKitAPI(
            str(self._livekit.http_url),
            self._livekit.api_key,
            self._livekit.api_secret,
            timeout=_LIMITS,
        ) as self._server:
            yield
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="held-call")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, room: str, metadata: str) -> None:
        """Stay with a call until it is answered or over."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + _LONGEST_SECONDS
        seen, alone_since, abandoned = loop.time(), inf, False
        await asyncio.sleep(_GRACE_SECONDS)
        while (now := loop.time()) < ends:
            found, dispatches = await self._look(room)
            if found is _Found.ANSWERED or (
                found is _Found.ABSENT and now - seen > _ARRIVAL_SECONDS
            ):
                return
            # Whoever takes long to come may take longer.
            pause = max(_GRACE_SECONDS, (now - seen) / 4)
            if found is _Found.UNANSWERED:
                seen, alone_since = now, min(alone_since, now)
                if not self._may_come:
                    logger.info("a call is held until a worker can take it")
                    await self._health.readiness.until(lambda _: self._may_come, timeout=ends - now)
                    continue
                if now - alone_since >= _GRACE_SECONDS:
                    # Without any, somebody else may be bringing the agent back at this moment.
                    if dispatches or abandoned:
                        await self._dispatch(room, metadata, dispatches)
                    abandoned, pause = not dispatches, _AGAIN_SECONDS
            await asyncio.sleep(pause)

    @property
    def _may_come(self) -> bool:
        state = self._health.readiness["worker"].state
        # Where none has ever answered, there may be some on other machines. One that is gone comes
        # back, and who brings it back calls it into its calls himself.
        return state == "ready" or (state == "missing" and not self._health.had_worker)

    async def _look(self, room: str) -> tuple[_Found, list[AgentDispatch]]:
        """Return where a call stands, and the dispatches that called our agent into it."""
        try:
            listed = await self._server.room.list_participants(
                api.ListParticipantsRequest(room=room)
            )
            kinds = [participant.kind for participant in listed.participants]
            if ParticipantInfo.Kind.AGENT in kinds:
                return _Found.ANSWERED, []
            if not kinds:
                return _Found.ABSENT, []
            dispatches = [
                each
                for each in await self._server.agent_dispatch.list_dispatch(room)
                if each.agent_name == self._agent_name
            ]
        except api.ServerError as error:
            return (_Found.ABSENT if error.status == 404 else _Found.UNKNOWN), []
        except (aiohttp.ClientError, OSError):
            return _Found.UNKNOWN, []
        jobs = [job for dispatch in dispatches for job in dispatch.state.jobs]
        alive = any(job.state.status in _ALIVE for job in jobs)
        return (_Found.ON_ITS_WAY if alive else _Found.UNANSWERED), dispatches

    async def _dispatch(self, room: str, metadata: str, unanswered: list[AgentDispatch]) -> None:
        """Call the agent into a room, in place of dispatches that nobody heard."""
        try:
            for dispatch in unanswered:
                await self._server.agent_dispatch.delete_dispatch(dispatch.id, room)
            await self._server.agent_dispatch.create_dispatch(
                api.CreateAgentDispatchRequest(
                    room=room, agent_name=self._agent_name, metadata=metadata
                )
            )
        except (api.ServerError, aiohttp.ClientError, OSError) as error:
            # Gone meanwhile: the caller, the server, or the dispatch, which another one replaces.
            logger.info("the agent was not called again (%s)", error)
        else:
            logger.info("the agent was called into a call that waited for it")
