"""A LiveKit server that is away, is none, refuses the key, or lives in another time."""

import socket
import time
from email.utils import formatdate
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from livekit.protocol.rtc import JoinResponse, SignalResponse, TrickleRequest
from pydantic import SecretStr

from agent.doctor.livekit_server import clock, key_is_valid, reachable, reason
from agent.doctor.media import candidates_are_reachable, parse_candidate
from agent.livekit import VERSION
from agent.settings import Settings
from tests.support.doctor import Handler, answer, never, serve, settings
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

SECRET = SecretStr("s" * 40)


def at(host: str, scheme: str = "ws") -> Settings:
    return settings(
        livekit_url=f"{scheme}://{host}", livekit_api_key="key", livekit_api_secret=SECRET
    )


@pytest.mark.parametrize(
    ("handler", "level", "found"),
    [
        (answer(200, "OK"), "ok", "answers at"),
        (answer(406, "Not Ready"), "warn", "overloaded"),
        (answer(200, "<html>"), "fail", "not a LiveKit server"),
        (answer(404, "OK"), "fail", "status 404"),
        (never, "fail", "within"),
    ],
)
async def test_what_answers_is_judged(
    handler: Handler, level: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if handler is never:
        import aiohttp

        quick = aiohttp.ClientTimeout(total=0.1)
        monkeypatch.setattr("agent.doctor.livekit_server._TIMEOUT", quick)
    async with serve(("GET", "/", handler)) as host:
        finding = await reachable(at(host))
    assert (finding.level, found in finding.found) == (level, True), finding


async def test_an_unreachable_server_is_named_with_the_reason() -> None:
    host = f"127.0.0.1:{free_port()}"
    finding = await reachable(at(host))
    assert finding.level == "fail"
    assert finding.found == f"ws://{host} cannot be reached (Connection refused)"
    assert "LIVEKIT_URL" in finding.remedy


def test_a_host_that_does_not_exist_is_called_so() -> None:
    assert reason(socket.gaierror(socket.EAI_NONAME, "Name or service not known")) == (
        "there is no such host"
    )


async def test_tls_where_there_is_none_is_named() -> None:
    async with serve(("GET", "/", answer(200, "OK"))) as host:
        finding = await reachable(at(host, "wss"))
    assert finding.level == "fail"
    assert "cannot be reached" in finding.found


async def test_without_a_server_of_ones_own_the_remedy_is_to_start_it() -> None:
    finding = await reachable(settings(livekit_port=free_port()))
    assert "make run" in finding.remedy


@pytest.mark.parametrize(
    ("status", "said", "found", "remedy"),
    [
        (401, "invalid API key: key", "invalid API key", "LIVEKIT_API_KEY"),
        (401, "invalid token: eyJh.eyJi.c-_, error: token is expired", "expired", "clocks"),
        (404, "page not found", "status 404", "LIVEKIT_URL"),
    ],
)
async def test_a_refused_token_is_told_in_the_servers_words(
    status: int, said: str, found: str, remedy: str
) -> None:
    async with serve(("GET", "/rtc/validate", answer(status, said))) as host:
        finding = await key_is_valid(at(host))
    assert finding.level == "fail"
    assert found in finding.found
    assert remedy in finding.remedy
    assert "eyJ" not in finding.found


@pytest.mark.parametrize(
    ("shift", "level", "found"),
    [
        (0, "ok", "the same"),
        (-20, "warn", "ahead of"),
        (20, "warn", "behind"),
        (-3600, "fail", "ahead of"),
        (3600, "fail", "behind"),
    ],
)
async def test_a_clock_that_differs_is_told(shift: float, level: str, found: str) -> None:
    async def tell(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": formatdate(time.time() + shift, usegmt=True)})

    async with serve(("GET", "/", tell)) as host:
        finding = await clock(at(host))
    assert finding.level == level
    assert found in finding.found


def signalling(*candidates: str, version: str = VERSION) -> Handler:
    """A server that greets a client and offers these candidates."""

    async def greet(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        join = JoinResponse(server_info={"version": version})
        await socket.send_bytes(SignalResponse(join=join).SerializeToString())
        for candidate in candidates:
            trickle = TrickleRequest(candidateInit=f'{{"candidate": "{candidate}"}}')
            await socket.send_bytes(SignalResponse(trickle=trickle).SerializeToString())
        last = TrickleRequest(candidateInit='{"candidate": ""}', final=True)
        await socket.send_bytes(SignalResponse(trickle=last).SerializeToString())
        async for frame in socket:
            assert frame.type is not WSMsgType.BINARY
        return socket

    return greet


def host_candidate(address: str, protocol: str = "udp", port: int = 7882) -> str:
    return f"candidate:1 1 {protocol} 2130706431 {address} {port} typ host"


@pytest.mark.parametrize(
    ("handler", "level", "found"),
    [
        (signalling(host_candidate("127.0.0.1")), "ok", "callers on this machine alone"),
        (signalling(), "fail", "offers no address"),
        (
            signalling(host_candidate("127.0.0.2", "tcp", 9), version="1.0.0"),
            "warn",
            "has version 1.0.0",
        ),
        (signalling(host_candidate("255.255.255.255")), "fail", "neither this machine nor"),
        (
            signalling(host_candidate("127.0.0.1"), host_candidate("255.255.255.255")),
            "warn",
            "255.255.255.255:7882/udp cannot be reached",
        ),
    ],
)
async def test_the_addresses_for_media_are_judged(handler: Handler, level: str, found: str) -> None:
    async with serve(("GET", "/rtc", handler)) as host:
        finding = await candidates_are_reachable(at(host))
    assert (finding.level, found in finding.found) == (level, True), finding


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (host_candidate("10.0.0.1"), "10.0.0.1:7882/udp"),
        (f"a={host_candidate('fe80::1', 'TCP', 7881)} tcptype passive", "fe80::1:7881/tcp"),
        ("a=mid:0", None),
        ("", None),
    ],
)
def test_candidates_are_read(line: str, read: Any) -> None:
    found = parse_candidate(line)
    assert (str(found) if found else None) == read
