"""What the web process shows to the local network."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSCloseCode, WSMsgType, WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer

from agent.errors import UserError
from agent.lan.authority import local_certificate
from agent.lan.door import Door
from agent.web.app import create_lan_app
from agent.web.server import run
from tests.support.ports import free_port
from tests.unit.test_web_app import settings

pytestmark = pytest.mark.unit

Client = TestClient[Any, Any]

ADDRESS = "192.168.7.5"
CODE = "k7mq-2xwp-h4rd"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Door:
    certificate = local_certificate(tmp_path_factory.mktemp("lan"), ADDRESS, ADDRESS)
    return Door(ADDRESS, ADDRESS, 8443, certificate, CODE)


class LiveKit:
    """A server that sends back what it gets, and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.closed = asyncio.Event()
        app = web.Application()
        app.router.add_get("/rtc/v1", self._socket)
        app.router.add_get("/rtc/v1/validate", self._validate)
        self.server = TestServer(app)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.query_string, request.headers.get("Authorization")))
        if request.query.get("access_token") == "expired":
            return web.Response(status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            elif message.data == "leave":
                break
            else:
                await socket.send_str(message.data)
        await socket.close()
        self.closed.set()
        return socket

    async def _validate(self, request: web.Request) -> web.Response:
        return web.Response(status=401, text=f"no: {request.query['access_token']}")


@pytest.fixture
async def livekit() -> AsyncIterator[LiveKit]:
    livekit = LiveKit()
    async with livekit.server:
        yield livekit


@pytest.fixture
async def client(livekit: LiveKit, door: Door) -> AsyncIterator[Client]:
    url = f"ws://127.0.0.1:{livekit.server.port}"
    async with TestClient(TestServer(create_lan_app(settings(livekit_url=url), door))) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": CODE},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer k7mq-2xwp-h4r"},
        {"Authorization": f"Basic {CODE}"},
        {"Authorization": b"Bearer \xff\xfe".decode("utf-8", "surrogateescape")},
    ],
)
@pytest.mark.parametrize("path", ["/token", "/token/rejoin"])
async def test_without_the_code_there_is_no_token(
    client: Client, path: str, headers: dict[str, str]
) -> None:
    answer = await client.post(path, headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "access code" in (await answer.json())["error"]


@pytest.mark.parametrize("given", [CODE, "K7MQ 2XWP H4RD", "k7mq2xwph4rd"])
async def test_with_the_code_the_token_is_for_the_signalling_that_comes_through_us(
    client: Client, given: str
) -> None:
    answer = await client.post("/token", headers={"Authorization": f"Bearer {given}"})
    assert answer.status == 201
    assert (await answer.json())["server_url"] == f"wss://{ADDRESS}:8443"


async def test_the_network_is_told_states_and_no_sentence(client: Client) -> None:
    body = await (await client.get("/readyz")).json()
    # The worker's sentence would name a port of this machine.
    assert body["components"]["worker"]["state"] == "missing"
    assert {part["message"] for part in body["components"].values()} == {""}


async def test_wrong_codes_count(client: Client) -> None:
    statuses = [(await client.post("/token")).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    right = await client.post("/token", headers={"Authorization": f"Bearer {CODE}"})
    assert right.status == 429


async def test_a_page_elsewhere_may_ask_which_headers_it_may_send(client: Client) -> None:
    answer = await client.options("/token", headers={"Origin": "http://localhost:5173"})
    assert answer.status == 204
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


async def test_the_page_may_talk_to_us_alone(client: Client) -> None:
    policy = (await client.get("/")).headers["Content-Security-Policy"]
    assert f"connect-src 'self' wss://{ADDRESS}:8443 https://{ADDRESS}:8443;" in policy


async def test_the_authority_is_handed_out_and_its_key_is_not(client: Client) -> None:
    answer = await client.get("/ca.crt")
    assert answer.content_type == "application/x-x509-ca-cert"
    text = await answer.text()
    assert text.startswith("-----BEGIN CERTIFICATE")
    assert "PRIVATE" not in text


async def test_signalling_passes_in_both_directions(client: Client, livekit: LiveKit) -> None:
    headers = {"Authorization": "Bearer a.b.c"}
    path = "/rtc/v1?access_token=x%2By%26z&auto_subscribe=1"
    async with client.ws_connect(path, headers=headers) as socket:
        await socket.send_bytes(b"\x00\x01")
        assert await socket.receive_bytes() == b"\x00\x01"
        await socket.send_str("ping")
        assert await socket.receive_str() == "ping"
    await asyncio.wait_for(livekit.closed.wait(), 5)
    ((query, authorization),) = livekit.asked
    assert authorization == "Bearer a.b.c"
    assert query == path.partition("?")[2]


async def test_the_servers_end_is_the_clients_end(client: Client) -> None:
    async with client.ws_connect("/rtc/v1") as socket:
        await socket.send_str("leave")
        assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE


async def test_a_refused_token_is_refused_with_the_servers_status(client: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/rtc/v1?access_token=expired")
    assert refused.value.status == 401
    answer = await client.get("/rtc/v1/validate?access_token=old")
    assert (answer.status, await answer.text()) == (401, "no: old")


async def test_only_signalling_is_passed_on(client: Client, livekit: LiveKit) -> None:
    for path in ("/twirp/livekit.RoomService/ListRooms", "/agent", "/rtc/../agent", "/rtc/v2"):
        answer = await client.get(path)
        assert answer.status == 404
    assert (await client.get("/rtc/v1")).status == 426
    assert livekit.asked == []


async def test_a_server_that_is_gone_is_a_bad_gateway(door: Door) -> None:
    gone = settings(livekit_url=f"ws://127.0.0.1:{free_port()}")
    async with TestClient(TestServer(create_lan_app(gone, door))) as client:
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect("/rtc/v1")
        assert refused.value.status == 502
        assert (await client.get("/rtc/v1/validate")).status == 502


async def test_stopping_says_goodbye_to_callers(livekit: LiveKit, door: Door) -> None:
    url = f"ws://127.0.0.1:{livekit.server.port}"
    server = TestServer(create_lan_app(settings(livekit_url=url), door))
    async with TestClient(server) as client, client.ws_connect("/rtc/v1") as socket:
        stopping = asyncio.create_task(server.close())
        message = await socket.receive(timeout=5)
        assert message.data == WSCloseCode.GOING_AWAY
        await asyncio.wait_for(stopping, 5)
        await asyncio.wait_for(livekit.closed.wait(), 5)


def test_the_web_process_alone_makes_no_code() -> None:
    with pytest.raises(UserError, match="LAN_ACCESS_CODE"):
        run(settings(web_port=free_port()), lan=True)
