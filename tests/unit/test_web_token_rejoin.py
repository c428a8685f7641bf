from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer
from livekit import api

from agent.settings import Settings
from agent.web.app import create_app
from agent.web.endpoint import REJOIN_PATH
from agent.web.token import REJOIN_LEEWAY, TOKEN_LIFETIME

pytestmark = pytest.mark.unit

KEY = "test-key"
SECRET = "0123456789abcdef0123456789abcdef"
ROOM = "call-0123456789abcdef"
CALLER = "caller-0123456789abcdef"

Client = TestClient[Any, Any]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    settings = Settings(
        livekit_url="ws://127.0.0.1:7880", livekit_api_key=KEY, livekit_api_secret=SECRET
    )
    async with TestClient(TestServer(create_app(settings, tmp_path))) as client:
        yield client


def token(
    room: str = ROOM,
    identity: str = CALLER,
    key: str = KEY,
    secret: str = SECRET,
    ttl: timedelta = TOKEN_LIFETIME,
) -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    access = api.AccessToken(key, secret).with_identity(identity).with_grants(grants)
    return access.with_ttl(ttl).to_jwt()


def decode(text: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(text, SECRET, algorithms=["HS256"])
    return claims


async def test_a_caller_comes_back_as_the_same_person_into_the_same_room(client: Client) -> None:
    wishes = {
        "participant_name": "Ann",
        "participant_metadata": "m",
        "participant_attributes": {"plan": "pro"},
    }
    first = await (await client.post("/token", json=wishes)).json()
    response = await client.post(
        REJOIN_PATH, json={"participant_token": first["participant_token"]}
    )
    assert response.status == 201
    assert response.headers["Cache-Control"] == "no-store"
    again = await response.json()
    before, after = decode(first["participant_token"]), decode(again["participant_token"])
    assert again.keys() == first.keys()
    assert again["room_name"] == first["room_name"]
    for claim in ("sub", "name", "metadata", "attributes", "video"):
        assert after[claim] == before[claim]


async def test_no_second_agent_is_called(client: Client) -> None:
    first = await (await client.post("/token", json={})).json()
    assert "roomConfig" in decode(first["participant_token"])
    response = await client.post(
        REJOIN_PATH, json={"participant_token": first["participant_token"]}
    )
    assert "roomConfig" not in decode((await response.json())["participant_token"])


async def test_a_call_outlives_its_token(client: Client) -> None:
    expired = token(ttl=-REJOIN_LEEWAY + timedelta(minutes=1))
    response = await client.post(REJOIN_PATH, json={"participant_token": expired})
    assert response.status == 201
    # Does not raise: the new one is valid now.
    assert decode((await response.json())["participant_token"])["video"]["room"] == ROOM


@pytest.mark.parametrize(
    ("earlier", "reason"),
    [
        (token(ttl=-REJOIN_LEEWAY - timedelta(minutes=1)), "too old"),
        (token(secret="another-secret-another-secret-12"), "not issued here"),
        (token(key="another-key"), "not issued here"),
        (jwt.encode({"iss": KEY, "sub": CALLER}, SECRET), "not issued here"),
        (jwt.encode({"iss": KEY}, key="", algorithm="none"), "not issued here"),
        ("garbage", "not issued here"),
        ("", "not issued here"),
        ("é.é.é", "not issued here"),
        (token(identity="agent-AJ_1"), "not that of a caller"),
        (token(room="boardroom"), "not that of a caller"),
        (token(room=f"{ROOM}\n"), "not that of a caller"),
    ],
)
async def test_another_token_is_refused(client: Client, earlier: str, reason: str) -> None:
    response = await client.post(REJOIN_PATH, json={"participant_token": earlier})
    assert response.status == 403
    assert reason in (await response.json())["error"]


@pytest.mark.parametrize(
    "body", [{}, {"participant_token": None}, {"participant_token": 5}, [], "x"]
)
async def test_a_malformed_request_is_refused_with_a_sentence(client: Client, body: object) -> None:
    response = await client.post(REJOIN_PATH, json=body)
    assert response.status == 400
    assert (await response.json())["error"].endswith(".")


async def test_a_foreign_page_may_not_ask(client: Client) -> None:
    response = await client.post(
        REJOIN_PATH, json={"participant_token": token()}, headers={"Origin": "https://evil.test"}
    )
    assert response.status == 403
    assert "Access-Control-Allow-Origin" not in response.headers
