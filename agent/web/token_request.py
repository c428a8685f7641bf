"""What a token request may ask for, by LiveKit's token endpoint standard.

A client that knows ``TokenSource.endpoint`` posts what it wishes as JSON, in snake_case or
camelCase, every field optional, and gets a server URL and a token. See
https://docs.livekit.io/frontends/build/authentication/endpoint/.

What a caller may wish for is its own display name, metadata and attributes, and our agent with a
little metadata. The room and the caller's identity are made here: a client that chose them could
enter another call, or push its participant out.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

MAX_METADATA: Final = 1024
_JSON_OBJECT: Final = TypeAdapter(dict[str, Any])


class Refusal(Exception):
    """A request that gets no token.

    Args:
        status: HTTP status: 400 for what is malformed, 403 for what a client may not ask.
        sentence: What is wrong, for the developer of the client; repeats no value of the request.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request that passed; empty means no wish.

    Attributes:
        name: Display name of the caller.
        metadata: The caller's participant metadata.
        attributes: The caller's participant attributes.
        agent_metadata: A JSON object for the agent's job, such as ``{"language": "fr"}``.
    """

    name: str
    metadata: str
    attributes: dict[str, str]
    agent_metadata: str


def parse_request(raw: bytes, agent_name: str) -> TokenRequest:
    """Read the body of a token request.

    Args:
        raw: The body; empty is the same as ``{}``.
        agent_name: The only agent that may be asked for.

    Raises:
        Refusal: It is malformed, or asks for what a client may not choose.
    """
    try:
        body = _Body.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise Refusal(400, _sentence(error)) from None
    if body.room_name:
        raise Refusal(403, "room_name may not be set: every call gets a room of its own.")
    if body.participant_identity:
        raise Refusal(403, "participant_identity may not be set: the server chooses it.")
    return TokenRequest(
        name=body.participant_name or "",
        metadata=body.participant_metadata or "",
        attributes=body.participant_attributes or {},
        agent_metadata=_agent_metadata(body.room_config or _RoomConfig(), agent_name),
    )


def parse_rejoin(raw: bytes) -> str:
    """Read the body of a request to come back into a call; return the call's earlier token.

    This is no part of the standard; our page asks it when it was reloaded in mid-call.

    Raises:
        Refusal: It is malformed.
    """
    try:
        return _Rejoin.model_validate_json(raw or b"{}").participant_token
    except ValidationError as error:
        raise Refusal(400, _sentence(error)) from None


def _refuse_reserved(name: str) -> str:
    # LiveKit's own attributes steer agents and clients; callers have no business there.
    if name.startswith("lk."):
        raise ValueError("names that begin with `lk.` are LiveKit's own")
    return name


def _check_object(metadata: str) -> str:
    if len(metadata.encode()) > MAX_METADATA:
        raise ValueError(f"it must be {MAX_METADATA} bytes or less")
    if metadata:
        try:
            _JSON_OBJECT.validate_json(metadata)
        except ValidationError:
            raise ValueError("it must be the text of a JSON object") from None
    return metadata


_Metadata = Annotated[str, StringConstraints(max_length=MAX_METADATA)]
_Name = Annotated[str, StringConstraints(max_length=64)]
_AttributeName = Annotated[_Name, StringConstraints(min_length=1), AfterValidator(_refuse_reserved)]
_AttributeValue = Annotated[str, StringConstraints(max_length=256)]


class _Message(BaseModel):
    """A message in protobuf's JSON: either spelling of a name, and null is the same as absent."""

    model_config = ConfigDict(
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        loc_by_alias=False,
    )


class _Agent(_Message, extra="allow"):
    agent_name: _Name | None = None
    metadata: Annotated[str, AfterValidator(_check_object)] | None = None


class _RoomConfig(_Message, extra="allow"):
    agents: list[_Agent] | None = None


class _Body(_Message, extra="ignore"):
    room_name: str | None = None
    participant_identity: str | None = None
    participant_name: _Name | None = None
    participant_metadata: _Metadata | None = None
    participant_attributes: (
        Annotated[dict[_AttributeName, _AttributeValue], Field(max_length=16)] | None
    ) = None
    room_config: _RoomConfig | None = None


class _Rejoin(_Message, extra="ignore"):
    participant_token: str


def _agent_metadata(config: _RoomConfig, agent_name: str) -> str:
    # What is empty or zero is a default that some clients spell out.
    if any((config.model_extra or {}).values()):
        raise Refusal(403, "room_config may set agents only.")
    if not config.agents:
        return ""
    if len(config.agents) > 1:
        raise Refusal(403, "room_config.agents may name one agent only.")
    agent = config.agents[0]
    if any((agent.model_extra or {}).values()):
        raise Refusal(403, "room_config.agents may set agent_name and metadata only.")
    if agent.agent_name and agent.agent_name != agent_name:
        raise Refusal(403, "room_config.agents names an agent that this server does not offer.")
    return agent.metadata or ""


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if not first["loc"]:
        return "The body is not a JSON object."
    models = (_Body, _RoomConfig, _Agent, _Rejoin)
    fields = {name for model in models for name in model.model_fields}
    # Names of attributes are the client's and may be private.
    path = ".".join(str(part) for part in first["loc"] if part in fields)
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "it must be")
    return f"{path} is refused: {message[0].lower()}{message[1:]}."
