import socket
from pathlib import Path

import pytest

from agent.errors import UserError
from agent.paths import KEEP_CONVERSATIONS
from agent.ports import Port, check_ports
from agent.readiness_feed import first
from agent.settings import ENV_FILE_READ, Settings, load
from agent.up.plan import Service, plan, ports, web_url
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

KEY, SECRET = "key", "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of our own with a server in it, and none of the machine's settings."""
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    server = tmp_path / "livekit-server"
    server.write_text("#!/bin/sh\necho livekit-server version 1.13.5\n")
    server.chmod(0o755)
    monkeypatch.setenv("LIVEKIT_SERVER_BIN", str(server))
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path))


async def services(settings: Settings) -> dict[str, Service]:
    return {service.name: service for service in await plan(settings, lambda _: None)}


def read_settings(tmp_path: Path) -> Settings:
    return load(tmp_path / "no.env")


async def test_everything_is_started_here_by_default(tmp_path: Path) -> None:
    planned = await services(read_settings(tmp_path))
    assert list(planned) == ["livekit", "engine", "llm", "worker", "web"]
    assert all(service.argv for service in planned.values())
    assert planned["engine"].argv[1:] == ("-m", "agent", "engine")
    assert planned["worker"].needs == {"livekit"}


async def test_what_is_started_again_later_does_not_read_another_env_file(tmp_path: Path) -> None:
    planned = await services(read_settings(tmp_path))
    for name in ("engine", "llm", "worker", "web"):
        assert planned[name].env[ENV_FILE_READ] == "1"


async def test_who_holds_models_gets_large_pages_unless_something_else_is_wished_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = await services(read_settings(tmp_path))
    tuned = {name for name, service in planned.items() if "GLIBC_TUNABLES" in service.env}
    assert tuned == {"engine", "llm"}
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=3")
    planned = await services(read_settings(tmp_path))
    assert planned["llm"].env["GLIBC_TUNABLES"] == "glibc.malloc.check=3"


async def test_the_secret_is_given_to_those_who_need_it_and_never_on_a_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    planned = await services(read_settings(tmp_path))
    for service in planned.values():
        assert not any(SECRET in argument for argument in service.argv)
    for name in ("worker", "web"):
        assert planned[name].env["LIVEKIT_API_SECRET"] == SECRET
        assert planned[name].env["LIVEKIT_API_KEY"] == KEY
        assert planned[name].env["LIVEKIT_URL"] == "ws://127.0.0.1:7880"
    assert SECRET in planned["livekit"].env["LIVEKIT_CONFIG"]
    assert "LIVEKIT_API_SECRET" not in planned["livekit"].env


async def test_generated_keys_reach_only_the_server_the_worker_and_the_page(tmp_path: Path) -> None:
    planned = await services(read_settings(tmp_path))
    secret = planned["worker"].env["LIVEKIT_API_SECRET"]
    knowing = {
        name
        for name, service in planned.items()
        if any(secret in value for value in service.env.values())
    }
    assert knowing == {"livekit", "worker", "web"}


async def test_an_interrupted_worker_does_not_wait_for_conversations(tmp_path: Path) -> None:
    worker = (await services(read_settings(tmp_path)))["worker"]
    assert worker.env["DRAIN_SECONDS"] == "0"
    assert worker.grace > 1


async def test_a_call_outlives_the_worker_that_was_started_here(tmp_path: Path) -> None:
    worker = (await services(read_settings(tmp_path)))["worker"]
    assert worker.env[KEEP_CONVERSATIONS] == "1"
    assert worker.calls is not None
    assert worker.calls.url == worker.env["LIVEKIT_URL"]
    assert worker.calls.api_secret == worker.env["LIVEKIT_API_SECRET"]
    assert worker.calls.api_secret not in repr(worker.calls)


async def test_an_outside_livekit_server_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "wss://livekit.example")
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)
    monkeypatch.setenv("LIVEKIT_SERVER_BIN", "/does/not/exist")
    settings = read_settings(tmp_path)
    planned = await services(settings)
    assert planned["livekit"].argv == ()
    assert "LIVEKIT_URL" in planned["livekit"].remedy
    assert planned["worker"].env["LIVEKIT_URL"] == "wss://livekit.example"
    assert "LIVEKIT_PORT" not in {port.setting for port in ports(settings)}


async def test_an_outside_language_model_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    settings = read_settings(tmp_path)
    llm = (await services(settings))["llm"]
    assert llm.argv == ()
    assert "LLM_BASE_URL" in llm.remedy
    assert await first(llm.feed, lambda _: True) is None
    assert "LLM_PORT" not in {port.setting for port in ports(settings)}


def test_every_port_is_checked_under_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_URL", "http://127.0.0.1:8765")
    assert {(port.setting, port.number, port.udp) for port in ports(read_settings(tmp_path))} == {
        ("WEB_PORT", 8080, False),
        ("LIVEKIT_PORT", 7880, False),
        ("LIVEKIT_UDP_PORT", 7882, True),
        ("LLM_PORT", 8091, False),
        ("WORKER_PORT", 8081, False),
        ("ENGINE_URL", 8765, False),
    }


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("voice.example", "http://voice.example:8080"),
    ],
)
def test_the_page_is_named_as_a_browser_here_opens_it(
    host: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_HOST", host)
    assert web_url(read_settings(tmp_path)) == url


@pytest.mark.parametrize("udp", [False, True])
def test_a_taken_port_is_one_sentence_that_names_its_setting(udp: bool) -> None:
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        if not udp:
            holder.listen()
        number = holder.getsockname()[1]
        with pytest.raises(UserError) as raised:
            check_ports([Port("SOME_PORT", number, udp=udp)])
    assert str(number) in str(raised.value)
    assert "set SOME_PORT to a free port." in str(raised.value)
    check_ports([Port("SOME_PORT", number, udp=udp)])


def test_a_port_given_twice_names_both_settings() -> None:
    number = free_port()
    with pytest.raises(UserError, match="A_PORT and B_PORT are both"):
        check_ports([Port("A_PORT", number), Port("B_PORT", number)])
    check_ports([Port("A_PORT", number), Port("B_PORT", number, udp=True)])


def test_an_address_of_another_machine_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"SOME_PORT.*192\.0\.2\.1"):
        check_ports([Port("SOME_PORT", free_port(), "192.0.2.1")])
