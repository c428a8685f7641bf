"""How the caller gets into a room with an agent: a token endpoint, or a key of its own."""

import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import aiohttp
from livekit import api, rtc

from agent.errors import UserError
from agent.livekit.patience import patiently

_HTTP_TIMEOUT = aiohttp.ClientTimeout(total=10)
_TOKEN_LIFETIME = timedelta(minutes=15)


class Access(Protocol):
    """A way into a call."""

    async def join(self, room: rtc.Room) -> None:
        """Connect ``room`` and see to it that an agent is asked for.

        Raises:
            UserError: A server cannot be reached or refuses us.
        """


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Asks a token endpoint, as a page would: it chooses the room and asks for the agent.

    Attributes:
        url: Where to post; see LiveKit's token endpoint standard.
        language: Language that the agent is told to expect, if any.
        access_code: Code that the endpoint demands, if any.
    """

    url: str
    language: str | None = None
    access_code: str | None = field(default=None, repr=False)

    async def join(self, room: rtc.Room) -> None:
        """See `Access.join`."""
        answer = await self._ask()
        server = answer.get("server_url", answer.get("serverUrl"))
        token = answer.get("participant_token", answer.get("participantToken"))
        if not isinstance(server, str) or not isinstance(token, str):
            raise UserError(
                f"What answers at {self.url} gave no server URL and token, "
                "so it is no token endpoint; check --token-url."
            )
        await _connect(room, server, token)

    async def _ask(self) -> dict[str, Any]:
        agents = [{"metadata": _job_metadata(self.language)}] if self.language else []
        body = {"room_config": {"agents": agents}} if agents else {}
        headers = {"Authorization": f"Bearer {self.access_code}"} if self.access_code else {}
        try:
            async with (
                aiohttp.ClientSession(timeout=_HTTP_TIMEOUT, headers=headers) as session,
                session.post(self.url, json=body) as response,
            ):
                status, answer = response.status, await _json_object(response)
        except (aiohttp.ClientError, TimeoutError):
            raise UserError(
                f"No token endpoint answers at {self.url}; start `eloquence up`, "
                "or name another with --token-url."
            ) from None
        if status // 100 != 2:
            reason = answer.get("error", "no reason given")
            raise UserError(
                f"The token endpoint at {self.url} refused with status {status} ({reason}); "
                "check --token-url."
            )
        return answer


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Signs its own token.

    Attributes:
        url: LiveKit server, ``ws://`` or ``wss://``.
        api_key: Key that the server knows.
        api_secret: Its secret.
        agent_name: Agent to ask for; None leaves it to others to bring one.
        room: Room to join, existing or not; None makes a fresh one.
        language: Language that the agent is told to expect, if any.
    """

    url: str
    api_key: str
    api_secret: str = field(repr=False)
    agent_name: str | None
    room: str | None = None
    language: str | None = None

    async def join(self, room: rtc.Room) -> None:
        """See `Access.join`."""
        exists = self.room is not None and await self._exists(self.room)
        name = self.room or f"call-{secrets.token_hex(8)}"
        await _connect(room, self.url, self._token(name))
        # A room that is there already ignores the agents that a token asks for.
        if exists and self.agent_name and not any(map(is_agent, room.remote_participants.values())):
            await self._dispatch(name, self.agent_name)

    def _token(self, room: str) -> str:
        grants = api.VideoGrants(room_join=True, room=room)
        agents = []
        if self.agent_name:
            metadata = _job_metadata(self.language)
            agents.append(api.RoomAgentDispatch(agent_name=self.agent_name, metadata=metadata))
        return (
            api.AccessToken(self.api_key, self.api_secret)
            .with_identity(f"caller-{secrets.token_hex(4)}")
            .with_name("Scripted caller")
            .with_ttl(_TOKEN_LIFETIME)
            .with_grants(grants)
            .with_room_config(api.RoomConfiguration(agents=agents))
            .to_jwt()
        )

    async def _exists(self, room: str) -> bool:
        try:
            async with api.LiveKitAPI(self.url, self.api_key, self.api_secret) as server:
                request = api.ListRoomsRequest(names=[room])
                answer = await patiently(lambda: server.room.list_rooms(request))
        except (api.ServerError, aiohttp.ClientError, TimeoutError) as error:
            raise self._refusal(error) from None
        return bool(answer.rooms)

    async def _dispatch(self, room: str, agent_name: str) -> None:
        request = api.CreateAgentDispatchRequest(
            room=room, agent_name=agent_name, metadata=_job_metadata(self.language)
        )
        try:
            async with api.LiveKitAPI(self.url, self.api_key, self.api_secret) as server:
                await patiently(lambda: server.agent_dispatch.create_dispatch(request))
        except (api.ServerError, aiohttp.ClientError, TimeoutError) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> UserError:
        refused = isinstance(error, api.ServerError) and error.status in (401, 403)
        return _key_error(self.url) if refused else _unreachable(self.url)


def is_agent(participant: rtc.Participant) -> bool:
    """Tell whether a participant is an agent."""
    return participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


async def _connect(room: rtc.Room, url: str, token: str) -> None:
    try:
        await room.connect(url, token)
    except rtc.ConnectError as error:
        # Its text may repeat the token, so it goes no further.
        refused = re.search(r"client error: 40[13]\b", error.message)
        raise (_key_error(url) if refused else _unreachable(url)) from None


async def _json_object(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        body = await response.json(content_type=None)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _job_metadata(language: str | None) -> str:
    return json.dumps({"language": language}) if language else ""


def _key_error(url: str) -> UserError:
    return UserError(
        f"LiveKit at {url} refused the token: LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be a "
        "pair that this server knows."
    )


def _unreachable(url: str) -> UserError:
    return UserError(f"No LiveKit server answers at {url}; start it, or correct LIVEKIT_URL.")
