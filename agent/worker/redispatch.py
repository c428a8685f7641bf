"""Bringing the agent back into calls whose worker was replaced or died.

A room remembers the dispatches that called agents into it, and calls nobody by itself when a worker
is gone. A further dispatch adds a further agent, so the old ones are deleted first.
"""

import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from livekit import api
from livekit.protocol.models import ParticipantInfo

from agent.errors import UserError
from agent.livekit.patience import UNAVAILABLE, patiently

_HUMAN = (ParticipantInfo.Kind.STANDARD, ParticipantInfo.Kind.SIP)
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_GONE = 404

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    room: str
    metadata: str
    agents: frozenset[str]


@dataclass(slots=True)
class Calls:
    """The calls of one agent on one server.

    Attributes:
        url: The LiveKit server.
        api_key: Key that it knows.
        api_secret: Its secret.
        agent_name: Name under which the agent's workers register.
    """

    url: str
    api_key: str
    api_secret: str = field(repr=False)
    agent_name: str
    _dismissed: list[_Call] = field(default_factory=list, init=False, repr=False)

    async def dismiss(self, *, at_once: bool = False) -> None:
        """Delete the dispatches of every call, which ends the agent's jobs, and remember the calls.

        A call for which the server does not do it is left as it is, for the sake of the others.

        Args:
            at_once: Whether to take the agents out of the rooms too. One whose process died would
                stay there until the server misses it, and its caller would wait for an answer.

        Raises:
            UserError: The server does not do it.
        """
        async with self._server() as server:
            rooms = await patiently(lambda: server.room.list_rooms(api.ListRoomsRequest()))
            for room in rooms.rooms:
                with _one_call(room.name):
                    call = await self._leave(server, room.name)
                    if call and at_once:
                        await _remove(server, call)

    async def recall(self) -> None:
        """Call one agent into each remembered call that is still going on.

        Raises:
            UserError: The server does not do it.
        """
        calls, self._dismissed = self._dismissed, []
        async with self._server() as server:
            for call in calls:
                with _one_call(call.room):
                    await self._enter(server, call)

    async def _enter(self, server: api.LiveKitAPI, call: _Call) -> None:
        await _remove(server, call)  # there must never be two
        if await _people(server, call.room):
            await self._clear(server, call.room)
            request = api.CreateAgentDispatchRequest(
                room=call.room, agent_name=self.agent_name, metadata=call.metadata
            )
            await patiently(lambda: server.agent_dispatch.create_dispatch(request))

    async def _clear(self, server: api.LiveKitAPI, room: str) -> None:
        """Delete dispatches that were made meanwhile, while there was nobody to hear them."""
        for dispatch in await patiently(lambda: server.agent_dispatch.list_dispatch(room)):
            if dispatch.agent_name == self.agent_name:
                with contextlib.suppress(api.ServerError):  # deleted by whoever made it
                    await _delete(server, dispatch.id, room)

    async def _leave(self, server: api.LiveKitAPI, room: str) -> _Call | None:
        dispatches = [
            dispatch
            for dispatch in await patiently(lambda: server.agent_dispatch.list_dispatch(room))
            if dispatch.agent_name == self.agent_name
        ]
        if not dispatches or not await _people(server, room):
            return None
        for dispatch in dispatches:
            try:
                await _delete(server, dispatch.id, room)
            except api.ServerError as error:
                if error.status != _GONE:
                    raise
                return None  # the web process has just called the agent anew
        jobs = [job for dispatch in dispatches for job in dispatch.state.jobs]
        agents = {job.state.participant_identity for job in jobs} - {""}
        call = _Call(room, dispatches[-1].metadata, frozenset(agents))
        self._dismissed.append(call)
        return call

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[api.LiveKitAPI]:
        try:
            async with api.LiveKitAPI(
                self.url, self.api_key, self.api_secret, timeout=_TIMEOUT
            ) as server:
                yield server
        except (api.ServerError, aiohttp.ClientError, OSError) as error:
            raise UserError(
                f"The agent cannot be brought back into its calls ({error}); "
                "is the LiveKit server at LIVEKIT_URL running?"
            ) from None


@contextlib.contextmanager
def _one_call(room: str) -> Iterator[None]:
    """Keep what the server refuses for one room from the other rooms."""
    try:
        yield
    except api.ServerError as error:
        if error.status == _GONE:
            return  # the call has ended since the rooms were listed
        if error.status != UNAVAILABLE:
            raise
        _log.warning(
            "The LiveKit server does not answer for one call; if its agent stays silent, the "
            "caller has to call again",
            extra={"lk.pii.room": room},
        )


async def _delete(server: api.LiveKitAPI, dispatch: str, room: str) -> None:
    await patiently(lambda: server.agent_dispatch.delete_dispatch(dispatch, room))


async def _people(server: api.LiveKitAPI, room: str) -> bool:
    request = api.ListParticipantsRequest(room=room)
    listed = await patiently(lambda: server.room.list_participants(request))
    return any(participant.kind in _HUMAN for participant in listed.participants)


async def _remove(server: api.LiveKitAPI, call: _Call) -> None:
    for identity in call.agents:
        agent = api.RoomParticipantIdentity(room=call.room, identity=identity)
        try:
            await patiently(functools.partial(server.room.remove_participant, agent))
        except api.ServerError as error:
            if error.status != _GONE:  # it has left by itself
                raise
