"""Stock clients get what they need: each recorded request against the real endpoint."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from agent.settings import Settings
from agent.web.app import create_app

pytestmark = pytest.mark.unit

FIXTURE = Path(__file__).parents[1] / "fixtures" / "token_requests.json"
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "clients.md"
SECRET = "0123456789abcdef0123456789abcdef"
AGENT = "eloquence"
LIVEKIT_URL = "wss://voice.test"
REACT_DEV_SERVER = "http://localhost:3000"
# The SDKs take a token that has less than this left for expired.
EXPIRY_TOLERANCE_SECONDS = 60

Client = TestClient[Any, Any]


@dataclass(frozen=True)
class Recorded:
    client: str
    version: str
    call: str
    origin: str
    path: str
    headers: dict[str, str]
    body: str

    def __str__(self) -> str:
        return f"{self.client}: {self.call}"


RECORDED = [Recorded(**entry) for entry in json.loads(FIXTURE.read_text())]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    settings = Settings(
        livekit_url=LIVEKIT_URL,
        livekit_api_key="test-key",
        livekit_api_secret=SECRET,
        agent_name=AGENT,
    )
    async with TestClient(TestServer(create_app(settings, tmp_path))) as client:
        yield client


async def answer(client: Client, recorded: Recorded) -> dict[str, Any]:
    """Post the recorded bytes and read the answer by the rules that all the SDKs share."""
    response = await client.post(
        recorded.path, data=recorded.body.encode(), headers=recorded.headers
    )
    text = await response.text()
    assert 200 <= response.status < 300, text
    assert response.content_type == "application/json"
    body = json.loads(text)
    assert isinstance(body, dict)
    # Swift decodes snake_case alone, and fails when a field is there with another type.
    assert all(isinstance(body[name], str) for name in ("server_url", "participant_token"))
    assert all(isinstance(body.get(name, ""), str) for name in ("participant_name", "room_name"))
    return body


def claims_of(body: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(body["participant_token"], SECRET, algorithms=["HS256"])
    return claims


@pytest.mark.parametrize("recorded", RECORDED, ids=str)
async def test_every_client_gets_a_usable_token_with_our_agent(
    client: Client, recorded: Recorded
) -> None:
    body = await answer(client, recorded)
    claims = claims_of(body)
    assert URL(body["server_url"]) == URL(LIVEKIT_URL)
    # What the SDKs look at before they use or keep a token.
    assert claims["nbf"] <= time.time() + 1
    assert claims["exp"] > time.time() + EXPIRY_TOLERANCE_SECONDS
    assert claims["video"]["roomJoin"] is True
    assert claims["video"]["room"] == body["room_name"]
    assert [each["agentName"] for each in claims["roomConfig"]["agents"]] == [AGENT]


@pytest.mark.parametrize(
    "recorded", [each for each in RECORDED if '"participant_name"' in each.body], ids=str
)
async def test_what_a_client_says_of_its_caller_and_for_the_agent_arrives(
    client: Client, recorded: Recorded
) -> None:
    sent = json.loads(recorded.body)
    body = await answer(client, recorded)
    claims = claims_of(body)
    assert body["participant_name"] == claims["name"] == sent["participant_name"]
    assert claims["attributes"] == sent["participant_attributes"]
    assert json.loads(claims["roomConfig"]["agents"][0]["metadata"]) == {"language": "fr"}


async def test_a_second_call_gets_a_room_of_its_own(client: Client) -> None:
    # A room that exists already gets no agent: a repeated request must not lead into the old one.
    bodies = [await answer(client, RECORDED[0]) for _ in range(2)]
    assert bodies[0]["room_name"] != bodies[1]["room_name"]


async def test_the_react_starters_preflight_is_answered(client: Client) -> None:
    preflight = await client.options(
        "/token",
        headers={
            "Origin": REACT_DEV_SERVER,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-sandbox-id",
        },
    )
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == REACT_DEV_SERVER
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "x-sandbox-id"} <= set(allowed)


async def test_the_react_starters_page_may_read_the_answer(client: Client) -> None:
    recorded = next(each for each in RECORDED if each.headers.get("Origin") == REACT_DEV_SERVER)
    response = await client.post(recorded.path, data=recorded.body, headers=recorded.headers)
    assert response.headers["Access-Control-Allow-Origin"] == REACT_DEV_SERVER


def test_the_documented_requests_are_the_recorded_ones() -> None:
    documented = {line for line in DOCUMENTATION.read_text().splitlines() if line.startswith("{")}
    assert {"{}", '{"room_config":{}}'} < documented
    assert documented <= {each.body for each in RECORDED}
