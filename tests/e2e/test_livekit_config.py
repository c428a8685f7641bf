"""Both configurations of the LiveKit server, tried with the real one."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from agent.livekit.binary import server_command
from agent.livekit.config import loopback_config
from agent.livekit.keys import ApiKeys
from agent.readiness import fetch_readiness
from agent.settings import Settings
from tests.support.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.waits]

PRODUCTION = Path(__file__).parents[2] / "livekit.yaml"
# The key that the optional webhook block signs with.
KEYS = ApiKeys("your-api-key", secrets.token_urlsafe(32))
OPTIONAL_LINE = re.compile(r"^( *)#(?=[a-z])|^#(?=  [a-z])", re.MULTILINE)
STUN_BINDING_REQUEST, STUN_BINDING_RESPONSE = 0x0001, 0x0101  # RFC 8489
STUN_COOKIE = 0x2112A442


@pytest.fixture(scope="module")
def command(settings: Settings) -> tuple[str, ...]:
    return asyncio.run(server_command(settings, print))


class Server:
    """A server process and what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    async def answers(self, port: int) -> bool:
        """Return whether ``GET /`` becomes 200 before the process ends."""
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            readiness = await fetch_readiness(f"http://127.0.0.1:{port}", "/")
            if readiness is not None and readiness.ready:
                return True
            await asyncio.sleep(0.05)
        return False

    def output(self) -> str:
        return self.log.read_text()


Start = Callable[..., Server]


@pytest.fixture
def start(command: tuple[str, ...], tmp_path: Path) -> Iterator[Start]:
    """Start servers from their environment; they end with the test."""
    with contextlib.ExitStack() as stack:

        def launch(config: str, keys: str | None = f"{KEYS.key}: {KEYS.secret}") -> Server:
            env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            env["LIVEKIT_CONFIG"] = config
            if keys is not None:
                env["LIVEKIT_KEYS"] = keys
            log = tmp_path / "livekit.log"
            with log.open("w") as output:
                process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
            stack.callback(end, process)
            return Server(process, log)

        yield launch


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # SIGTERM is lost on a server that has only just started
    process.wait()


def on_loopback(text: str) -> dict[str, Any]:
    """Return a production configuration that listens on free ports of this machine alone."""
    config: dict[str, Any] = yaml.safe_load(text)
    config["port"] = free_port()
    config["prometheus"]["port"] = free_port()
    config["rtc"] |= {
        "udp_port": free_port(socket.SOCK_DGRAM),
        "tcp_port": 0,
        "node_ip": "127.0.0.1",
        "enable_loopback_candidate": True,
        "ips": {"includes": ["127.0.0.1/32"]},
    }
    config["turn"] |= {
        "udp_port": free_port(socket.SOCK_DGRAM),
        "bind_addresses": ["127.0.0.1"],
    }
    if "tls_port" in config["turn"]:
        config["turn"]["tls_port"] = free_port()
    return config


def with_all_options(text: str) -> str:
    return OPTIONAL_LINE.sub(r"\1", text)


def stun_answers(port: int) -> bool:
    """Ask for a STUN binding, as a client does that wants to know its address."""
    transaction = secrets.token_bytes(12)
    request = (
        STUN_BINDING_REQUEST.to_bytes(2) + (0).to_bytes(2) + STUN_COOKIE.to_bytes(4) + transaction
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(request, ("127.0.0.1", port))
        answer = client.recv(1500)
    return answer[:2] == STUN_BINDING_RESPONSE.to_bytes(2) and answer[8:20] == transaction


async def test_the_production_server_starts_as_shipped(start: Start) -> None:
    config = on_loopback(PRODUCTION.read_text())
    server = start(json.dumps(config))
    assert await server.answers(config["port"]), server.output()
    metrics = await fetch_readiness(f"http://127.0.0.1:{config['prometheus']['port']}", "/metrics")
    assert metrics is not None
    assert metrics.ready
    assert stun_answers(config["turn"]["udp_port"])


async def test_the_production_server_starts_with_every_option(start: Start) -> None:
    config = on_loopback(with_all_options(PRODUCTION.read_text()))
    assert {"domain", "external_tls"} <= config["turn"].keys()
    assert config["webhook"]["api_key"] == KEYS.key
    del config["redis"]  # has a test of its own: it needs a server
    server = start(json.dumps(config))
    assert await server.answers(config["port"]), server.output()


async def test_the_production_server_looks_for_redis_when_told_to(start: Start) -> None:
    config = on_loopback(with_all_options(PRODUCTION.read_text()))
    config["redis"]["address"] = f"127.0.0.1:{free_port()}"
    server = start(json.dumps(config))
    assert not await server.answers(config["port"])
    assert f"unable to connect to redis: dial tcp {config['redis']['address']}" in server.output()


def test_the_shipped_file_holds_no_keys_and_names_no_foreign_server() -> None:
    config = yaml.safe_load(with_all_options(PRODUCTION.read_text()))
    assert "keys" not in config
    assert config["bind_addresses"] == ["127.0.0.1"]
    assert config["rtc"]["stun_servers"] == ["127.0.0.1:3478"]
    assert config["rtc"]["use_external_ip"] is False


async def test_an_unknown_key_is_refused(start: Start) -> None:
    config = on_loopback(PRODUCTION.read_text())
    config["rooms"] = config.pop("room")
    server = start(json.dumps(config))
    assert not await server.answers(config["port"])
    assert "field rooms not found" in server.output()


@pytest.mark.parametrize(
    "keys", [None, f"{KEYS.key}:{KEYS.secret}"], ids=["missing", "without a space"]
)
async def test_missing_or_malformed_keys_are_refused(keys: str | None, start: Start) -> None:
    config = on_loopback(PRODUCTION.read_text())
    server = start(json.dumps(config), keys)
    assert not await server.answers(config["port"])
    assert "keys" in server.output()


async def test_the_development_server_listens_on_loopback_alone(
    start: Start, settings: Settings
) -> None:
    settings = settings.model_copy(
        update={
            "livekit_port": free_port(),
            "livekit_udp_port": free_port(socket.SOCK_DGRAM),
        }
    )
    server = start(loopback_config(settings, KEYS), None)
    assert await server.answers(settings.livekit_port), server.output()
    listening = psutil.Process(server.process.pid).net_connections("inet")
    assert {(each.laddr.ip, each.laddr.port) for each in listening if not each.raddr} == {
        ("127.0.0.1", settings.livekit_port),
        ("127.0.0.1", settings.livekit_udp_port),
    }
