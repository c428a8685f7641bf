"""The rooms of a running stack, as its operator sees them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import jwt
from livekit import api

from tests.support.stack import Stack


def room_of(token: str) -> str:
    """Return the room that a caller's token is for."""
    room: str = jwt.decode(token, options={"verify_signature": False})["video"]["room"]
    return room


@dataclass
class Rooms:
    """LiveKit's API."""

    livekit: api.LiveKitAPI

    async def identities(self, room: str) -> list[str]:
        """Return who is in a room; nobody when it does not exist."""
        found = await self.livekit.room.list_rooms(api.ListRoomsRequest(names=[room]))
        if not found.rooms:
            return []
        listed = await self.livekit.room.list_participants(api.ListParticipantsRequest(room=room))
        return [each.identity for each in listed.participants]


@asynccontextmanager
async def open_rooms(stack: Stack) -> AsyncIterator[Rooms]:
    """Connect to the API of the stack's LiveKit server."""
    env = stack.worker_env
    url = env["LIVEKIT_URL"].replace("ws://", "http://")
    async with api.LiveKitAPI(url, env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"]) as livekit:
        yield Rooms(livekit)
