"""Tokens: each lets one caller into one new room, to which the agent is called."""

import secrets
from datetime import timedelta
from typing import Final

from livekit import api

from agent.web.access import LiveKitAccess
from agent.web.token_request import TokenRequest

TOKEN_LIFETIME: Final = timedelta(minutes=15)
_DEFAULT_NAME: Final = "Caller"


def issue_token(livekit: LiveKitAccess, agent_name: str, request: TokenRequest) -> dict[str, str]:
    """Make a token for a new room in which the agent answers.

    Returns:
        The response of LiveKit's token endpoint standard.
    """
    room = f"call-{secrets.token_hex(8)}"
    name = request.name or _DEFAULT_NAME
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_publish_sources=["microphone"],
        can_subscribe=True,
        can_publish_data=True,
    )
    agent = api.RoomAgentDispatch(agent_name=agent_name, metadata=request.agent_metadata)
    token = (
        api.AccessToken(livekit.api_key, livekit.api_secret)
        .with_identity(f"caller-{secrets.token_hex(8)}")
        .with_name(name)
        .with_metadata(request.metadata)
        .with_attributes(request.attributes)
        .with_ttl(TOKEN_LIFETIME)
        .with_grants(grants)
        .with_room_config(api.RoomConfiguration(agents=[agent]))
    )
    return {
        "server_url": str(livekit.url),
        "participant_token": token.to_jwt(),
        "room_name": room,
        "participant_name": name,
    }
