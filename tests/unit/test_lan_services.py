import json
from pathlib import Path

import pytest

from agent.lan.certificate import Certificate
from agent.lan.door import Door
from agent.lan.services import open_ports, open_services
from agent.settings import Settings, load
from agent.up.plan import Service, plan, ports

pytestmark = pytest.mark.unit

ADDRESS = "192.168.7.5"
DOOR = Door(
    ADDRESS, ADDRESS, 8443, Certificate(Path("cert.pem"), Path("key.pem")), "k7mq-2xwp-h4rd"
)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    server = tmp_path / "livekit-server"
    server.write_text("#!/bin/sh\necho livekit-server version 1.13.5\n")
    server.chmod(0o755)
    monkeypatch.setenv("LIVEKIT_SERVER_BIN", str(server))
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path))
    return load(tmp_path / "no.env")


async def both(settings: Settings) -> tuple[dict[str, Service], dict[str, Service]]:
    """Return the services without and with the local network, by name."""
    closed = await plan(settings, lambda _: None)
    opened = open_services(closed, settings, DOOR)
    return {each.name: each for each in closed}, {each.name: each for each in opened}


async def test_only_the_page_and_the_media_server_change(settings: Settings) -> None:
    closed, opened = await both(settings)
    assert list(opened) == list(closed)
    assert {name for name in closed if opened[name] != closed[name]} == {"livekit", "web"}


async def test_the_page_is_opened_and_the_code_stays_off_its_command_line(
    settings: Settings,
) -> None:
    closed, opened = await both(settings)
    assert opened["web"].argv == (*closed["web"].argv, "--lan")
    assert opened["web"].env["LAN_HOST"] == ADDRESS
    assert opened["web"].env["LAN_ACCESS_CODE"] == DOOR.code
    assert "LAN_PORT" in opened["web"].remedy


async def test_media_moves_to_the_address_and_signalling_stays(settings: Settings) -> None:
    closed, opened = await both(settings)
    before = json.loads(closed["livekit"].env["LIVEKIT_CONFIG"])
    after = json.loads(opened["livekit"].env["LIVEKIT_CONFIG"])
    assert after["bind_addresses"] == ["127.0.0.1"]
    assert after["rtc"]["node_ip"] == ADDRESS
    assert after["rtc"]["ips"] == {"includes": [f"{ADDRESS}/32"]}
    assert after["rtc"]["tcp_port"] == 0
    assert after["rtc"]["stun_servers"] == before["rtc"]["stun_servers"]
    assert after["keys"] == before["keys"]


async def test_a_server_elsewhere_is_left_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:1")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "0123456789abcdef0123456789abcdef")
    closed, opened = await both(load(settings.cache_dir / "no.env"))
    assert opened["livekit"] == closed["livekit"]


def test_ports_are_looked_at_where_they_will_be(settings: Settings) -> None:
    opened = {port.setting: port for port in open_ports(ports(settings), DOOR)}
    assert opened["LAN_PORT"].host == opened["LIVEKIT_UDP_PORT"].host == ADDRESS
    assert opened["LAN_PORT"].number == 8443
    assert opened["WEB_PORT"].host == opened["LIVEKIT_PORT"].host == "127.0.0.1"
