"""A LiveKit server that is busy for a moment is asked again, and one call is not all of them."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import api
from livekit.protocol.agent_dispatch import AgentDispatch
from livekit.protocol.models import ParticipantInfo, Room
from livekit.protocol.room import ListParticipantsResponse, ListRoomsResponse

from agent.livekit import patience
from agent.livekit.patience import patiently
from agent.worker.redispatch import Calls

pytestmark = pytest.mark.unit


class Server:
    """Fails as often as it is told to, each time with this status."""

    def __init__(self, failures: int, status: int = 503) -> None:
        self.failures = failures
        self.status = status
        self.asked = 0

    async def answer(self) -> str:
        self.asked += 1
        if self.asked <= self.failures:
            raise api.ServerError("unavailable", "no response from servers", status=self.status)
        return "rooms"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_RETRY_SECONDS", (0.0, 0.0))


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_what_fails_for_a_moment_is_asked_again(failures: int) -> None:
    server = Server(failures)
    assert await patiently(server.answer) == "rooms"
    assert server.asked == failures + 1


@pytest.mark.parametrize(("failures", "status", "asked"), [(3, 503, 3), (1, 404, 1), (1, 500, 1)])
async def test_what_stays_so_comes_out(failures: int, status: int, asked: int) -> None:
    server = Server(failures, status)
    with pytest.raises(api.ServerError) as caught:
        await patiently(server.answer)
    assert (caught.value.status, server.asked) == (status, asked)


class Rooms:
    """Two calls of one agent; for the first, requests of one kind fail with this status."""

    def __init__(self, fails: str, status: int) -> None:
        self.fails, self.status = fails, status
        self.made: list[str] = []
        self.deleted: list[str] = []
        self.agent_dispatch = SimpleNamespace(
            list_dispatch=self._list, delete_dispatch=self._delete, create_dispatch=self._create
        )
        self.room = SimpleNamespace(list_rooms=self._rooms, list_participants=self._people)

    def _refuse(self, kind: str, room: str) -> None:
        if (kind, room) == (self.fails, "first"):
            raise api.ServerError("unavailable", "no response from servers", status=self.status)

    async def _rooms(self, _: api.ListRoomsRequest) -> ListRoomsResponse:
        return ListRoomsResponse(rooms=[Room(name="first"), Room(name="second")])

    async def _people(self, request: api.ListParticipantsRequest) -> ListParticipantsResponse:
        self._refuse("people", request.room)
        human = ParticipantInfo(identity="caller", kind=ParticipantInfo.Kind.STANDARD)
        return ListParticipantsResponse(participants=[human])

    async def _list(self, room: str) -> list[AgentDispatch]:
        self._refuse("list", room)
        return [AgentDispatch(id=room, agent_name="ours", room=room)]

    async def _delete(self, dispatch: str, room: str) -> None:
        self._refuse("delete", room)
        self.deleted.append(dispatch)

    async def _create(self, request: api.CreateAgentDispatchRequest) -> None:
        self._refuse("create", request.room)
        self.made.append(request.room)


def calls(monkeypatch: pytest.MonkeyPatch, rooms: Rooms) -> Calls:
    @asynccontextmanager
    async def server(_: Calls) -> AsyncIterator[Any]:
        yield rooms

    monkeypatch.setattr(Calls, "_server", server)
    return Calls("ws://127.0.0.1:1", "key", "secret", "ours")


@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize("fails", ["list", "people", "delete", "create"])
async def test_one_call_that_fails_keeps_the_agent_from_no_other(
    fails: str, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rooms = Rooms(fails, status)
    ours = calls(monkeypatch, rooms)
    with caplog.at_level(logging.WARNING):
        await ours.dismiss()
        await ours.recall()
    assert rooms.made == ["second"]
    assert [record.levelname for record in caplog.records] == ["WARNING"] * (status == 503)
    assert "first" not in caplog.text


async def test_every_call_gets_its_agent_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = Rooms("nothing", 503)
    ours = calls(monkeypatch, rooms)
    await ours.dismiss()
    await ours.recall()
    assert rooms.made == ["first", "second"]
