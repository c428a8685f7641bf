"""Tokens: each lets one caller into one room: a new one with an agent, or one left by accident."""

import re
import secrets
from datetime import timedelta
from typing import Final

import jwt
from livekit import api

from agent.web.access import LiveKitAccess
from agent.web.token_request import Refusal, TokenRequest

TOKEN_LIFETIME: Final = timedelta(minutes=15)
# A call outlives the token that opened it; the page shows that token when it is reloaded.
REJOIN_LEEWAY: Final = timedelta(hours=6)
_DEFAULT_NAME: Final = "Caller"
_ROOM: Final = re.compile(r"call-[0-9a-f]{16}")
_IDENTITY: Final = re.compile(r"caller-[0-9a-f]{16}")


def issue_token(livekit: LiveKitAccess, agent_name: str, request: TokenRequest) -> dict[str, str]:
    """Make a token for a new room in which the agent answers.

    Returns:
        The response of LiveKit's token endpoint standard.
    """
    room = f"call-{secrets.token_hex(8)}"
    identity = f"caller-{secrets.token_hex(8)}"
    name = request.name or _DEFAULT_NAME
    agent = api.RoomAgentDispatch(agent_name=agent_name, metadata=request.agent_metadata)
    token = (
        _caller_token(livekit, room, identity, name)
        .with_metadata(request.metadata)
        .with_attributes(request.attributes)
        .with_room_config(api.RoomConfiguration(agents=[agent]))
    )
    return _response(livekit, token, room, name)


def renew_token(livekit: LiveKitAccess, earlier: str) -> dict[str, str]:
    """Make a fresh token for the room and the identity of an earlier one.

    It calls no agent: the one that the earlier token called is in the room.

    Args:
        livekit: The server that the token is for.
        earlier: A token of `issue_token` or of this function, at most `REJOIN_LEEWAY` too old.

    Returns:
        The response of LiveKit's token endpoint standard.

    Raises:
        Refusal: ``earlier`` was not made here for a caller, or is too old.
    """
    verifier = api.TokenVerifier(livekit.api_key, livekit.api_secret, leeway=REJOIN_LEEWAY)
    try:
        claims = verifier.verify(earlier)
    except jwt.ExpiredSignatureError:
        raise Refusal(403, "participant_token is too old: that call is over.") from None
    except jwt.InvalidTokenError:
        raise Refusal(403, "participant_token was not issued here.") from None
    room = claims.video.room if claims.video else ""
    # The same key signs the tokens of agents and of the operator's own programs.
    if not (_ROOM.fullmatch(room) and _IDENTITY.fullmatch(claims.identity)):
        raise Refusal(403, "participant_token is not that of a caller.")
    token = (
        _caller_token(livekit, room, claims.identity, claims.name)
        .with_metadata(claims.metadata)
        .with_attributes(claims.attributes or {})
    )
    return _response(livekit, token, room, claims.name)


def _caller_token(livekit: LiveKitAccess, room: str, identity: str, name: str) -> api.AccessToken:
    grants = api.VideoGrants(
        room_join=True,
        room=room,
        can_publish=True,
        can_publish_sources=["microphone"],
        can_subscribe=True,
        can_publish_data=True,
    )
    return (
        api.AccessToken(livekit.api_key, livekit.api_secret)
        .with_identity(identity)
        .with_name(name)
        .with_ttl(TOKEN_LIFETIME)
        .with_grants(grants)
    )


def _response(
    livekit: LiveKitAccess, token: api.AccessToken, room: str, name: str
) -> dict[str, str]:
    return {
        "server_url": str(livekit.url),
        "participant_token": token.to_jwt(),
        "room_name": room,
        "participant_name": name,
    }
