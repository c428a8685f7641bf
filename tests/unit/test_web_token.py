import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent.settings import Settings
from agent.web.app import create_app
from agent.web.endpoint import MAX_BODY, TOKEN_PATHS
from agent.web.token_request import MAX_METADATA

pytestmark = pytest.mark.unit

KEY = "test-key"
SECRET = "0123456789abcdef0123456789abcdef"
LIVEKIT_URL = "ws://127.0.0.1:7880"
AGENT = "eloquence"
LOCAL_PAGE = "http://localhost:5173"

Client = TestClient[Any, Any]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    settings = Settings(
        livekit_url=LIVEKIT_URL, livekit_api_key=KEY, livekit_api_secret=SECRET, agent_name=AGENT
    )
    async with TestClient(TestServer(create_app(settings, tmp_path))) as client:
        yield client


async def claims_for(client: Client, body: object) -> dict[str, Any]:
    response = await client.post("/token", json=body)
    assert response.status == 201, await response.text()
    return decode((await response.json())["participant_token"])


def decode(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS256"])
    return claims


def agents(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"room_config": {"agents": list(entries)}}


@pytest.mark.parametrize("path", TOKEN_PATHS)
async def test_answers_by_the_standard(client: Client, path: str) -> None:
    response = await client.post(path, json={})
    body = await response.json()
    assert response.status == 201
    assert response.headers["Cache-Control"] == "no-store"
    assert body.keys() == {"server_url", "participant_token", "room_name", "participant_name"}
    assert body["server_url"] == LIVEKIT_URL
    assert decode(body["participant_token"])["video"]["room"] == body["room_name"]


async def test_an_empty_body_is_a_request_without_wishes(client: Client) -> None:
    response = await client.post("/token")
    assert response.status == 201


async def test_the_token_opens_one_room_to_a_voice_for_fifteen_minutes(client: Client) -> None:
    claims = await claims_for(client, {})
    assert claims["iss"] == KEY
    assert claims["exp"] - time.time() == pytest.approx(15 * 60, abs=5)
    assert claims["video"] == {
        "roomJoin": True,
        "room": claims["video"]["room"],
        "canPublish": True,
        "canPublishSources": ["microphone"],
        "canSubscribe": True,
        "canPublishData": True,
    }


async def test_each_call_has_its_own_room_and_identity(client: Client) -> None:
    claims = [await claims_for(client, {}) for _ in range(3)]
    assert len({each["video"]["room"] for each in claims}) == 3
    assert len({each["sub"] for each in claims}) == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"room_config": {}},
        {"roomConfig": None},
        {"room_config": {"agents": [], "empty_timeout": 0, "name": "", "egress": {}, "tags": None}},
        agents({}),
        agents({"agent_name": AGENT}),
        {"roomConfig": {"agents": [{"agentName": AGENT}]}},
        {"room_name": "", "participant_identity": None, "something_new": [1]},
    ],
)
async def test_our_agent_answers_whether_named_or_not(client: Client, body: object) -> None:
    claims = await claims_for(client, body)
    assert claims["roomConfig"] == {"agents": [{"agentName": AGENT}]}


async def test_the_agents_metadata_reaches_its_job(client: Client) -> None:
    metadata = '{"language":"fr"}'
    claims = await claims_for(client, agents({"metadata": metadata}))
    assert claims["roomConfig"] == {"agents": [{"agentName": AGENT, "metadata": metadata}]}


@pytest.mark.parametrize("camel", [False, True])
async def test_the_callers_name_metadata_and_attributes_are_kept(
    client: Client, camel: bool
) -> None:
    wishes: dict[str, Any] = {"name": "Ann", "metadata": "m", "attributes": {"plan": "pro"}}
    body = {
        f"participant{name.title()}" if camel else f"participant_{name}": value
        for name, value in wishes.items()
    }
    response = await client.post("/token", json=body)
    answer = await response.json()
    claims = decode(answer["participant_token"])
    assert answer["participant_name"] == claims["name"] == "Ann"
    assert (claims["metadata"], claims["attributes"]) == ("m", {"plan": "pro"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"room_name": "another-call"}, "room_name"),
        ({"roomName": "another-call"}, "room_name"),
        ({"participant_identity": "victim"}, "participant_identity"),
        ({"participantIdentity": "victim"}, "participant_identity"),
        (agents({"agent_name": "other"}), "does not offer"),
        (agents({"agent_name": AGENT}, {"agent_name": AGENT}), "one agent only"),
        (agents({"deployment": "beta"}), "agent_name and metadata only"),
        (agents({"restart_policy": "JRP_NEVER"}), "agent_name and metadata only"),
        (agents({"attributes": {"a": "b"}}), "agent_name and metadata only"),
        ({"room_config": {"egress": {"room": {"room_name": "x"}}}}, "agents only"),
        ({"room_config": {"something_new": {"a": 1}}}, "agents only"),
        ({"roomConfig": {"emptyTimeout": 9}}, "agents only"),
        ({"room_config": {"max_participants": 99}}, "agents only"),
        ({"room_config": {"name": "x"}}, "agents only"),
        ({"room_config": {"metadata": "x"}}, "agents only"),
        ({"room_config": {"tags": {"a": "b"}}}, "agents only"),
    ],
)
async def test_what_a_client_may_not_choose_is_refused(
    client: Client, body: object, reason: str
) -> None:
    response = await client.post("/token", json=body)
    assert response.status == 403
    assert reason in (await response.json())["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"not json",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"participant_name": "\\ud800"}',
        b"[]",
        b'"text"',
        b"null",
        {"room_name": 5},
        {"participant_name": ["Ann"]},
        {"participant_name": "x" * 65},
        {"participant_metadata": "x" * (MAX_METADATA + 1)},
        {"participant_attributes": {"a": 1}},
        {"participant_attributes": ["a"]},
        {"participant_attributes": {"lk.agent.state": "speaking"}},
        {"participant_attributes": {"x" * 65: "a"}},
        {"participant_attributes": {"a": "x" * 257}},
        {"participant_attributes": {str(number): "" for number in range(17)}},
        {"room_config": "x"},
        {"room_config": {"agents": AGENT}},
        {"room_config": {"agents": [AGENT]}},
        agents({"metadata": 5}),
        agents({"metadata": "fr"}),
        agents({"metadata": '["fr"]'}),
        agents({"metadata": "[" * 1000}),
        agents({"metadata": json.dumps({"a": "é" * 600}, ensure_ascii=False)}),
    ],
)
async def test_a_malformed_request_is_refused_with_a_sentence(client: Client, body: object) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await client.post(
        "/token",
        data=raw,
        headers={"Content-Type": "application/json", "Origin": LOCAL_PAGE},
    )
    assert response.status == 400
    assert response.headers["Access-Control-Allow-Origin"] == LOCAL_PAGE
    answer = await response.json()
    assert answer.keys() == {"error"}
    assert answer["error"].endswith(".")


async def test_another_content_type_is_refused(client: Client) -> None:
    response = await client.post("/token", data=b"{}", headers={"Content-Type": "text/plain"})
    assert response.status == 415
    assert "application/json" in (await response.json())["error"]


async def test_a_long_body_is_refused(client: Client) -> None:
    body = json.dumps({"participant_name": "x" * MAX_BODY}).encode()
    response = await client.post("/token", data=body, headers={"Content-Type": "application/json"})
    assert response.status == 413
    assert str(MAX_BODY) in (await response.json())["error"]


async def test_another_method_is_refused(client: Client) -> None:
    response = await client.get("/token")
    assert response.status == 405
    assert response.headers["Allow"] == "POST, OPTIONS"
    assert "POST" in (await response.json())["error"]


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:80", "https://localhost"],
)
async def test_a_page_on_this_machine_may_ask(client: Client, origin: str) -> None:
    preflight = await client.options("/token", headers={"Origin": origin})
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    assert "X-Sandbox-Id" in preflight.headers["Access-Control-Allow-Headers"]
    assert int(preflight.headers["Access-Control-Max-Age"]) > 0
    response = await client.post("/token", json={}, headers={"Origin": origin})
    assert response.status == 201
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert response.headers["Vary"] == "Origin"


async def test_our_own_page_may_ask_under_any_name(client: Client) -> None:
    response = await client.post(
        "/token", json={}, headers={"Host": "voice.test", "Origin": "https://voice.test"}
    )
    assert response.status == 201


@pytest.mark.parametrize(
    "origin",
    ["https://evil.test", "http://localhost.evil.test", "null", "file://localhost", "http://[", ""],
)
async def test_a_foreign_page_may_not_ask(client: Client, origin: str) -> None:
    preflight = await client.options("/token", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in preflight.headers
    response = await client.post("/token", json={}, headers={"Origin": origin})
    assert response.status == 403
    assert "Access-Control-Allow-Origin" not in response.headers


async def test_nothing_of_a_request_or_token_is_logged(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"participant_name": "Ann-Private", **agents({"metadata": '{"note":"private-note"}'})}
    answer = await (await client.post("/token", json=body)).json()
    await client.post("/token", json={"room_name": "private-room"})
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for secret in (SECRET, answer["participant_token"], answer["room_name"], "Private", "private"):
        assert secret not in logged
