"""The fault proxy breaks connections as it is told, over TCP and over Unix sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conformance.kit.bench import nothing_left
from tests.conformance.kit.proxy import FaultProxy

pytestmark = pytest.mark.unit

PATIENCE = 10.0
BRIEF = 0.1
"""Nothing comes out of a black hole within this many seconds."""


class Caller:
    """A client's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, data: bytes) -> bytes:
        self.writer.write(data)
        return await self.get(len(data))

    async def get(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(count)

    async def rest(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def nothing_comes(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(BRIEF):
                await self.reader.read(1)


@dataclass
class Echo:
    """A server that sends back what comes, and ends when the client does."""

    address: str = ""
    heard: bytearray = field(default_factory=bytearray)
    connections: int = 0
    ends: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        end = "end"
        try:
            while data := await reader.read(4096):
                self.heard += data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            end = "reset"
        writer.close()
        self.ends.append(end)
        self.changed.set()

    async def all_ended(self) -> list[str]:
        async with asyncio.timeout(PATIENCE):
            while len(self.ends) < self.connections:
                self.changed.clear()
                await self.changed.wait()
        return self.ends


@pytest.fixture(params=["tcp", "unix"])
async def echo(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Echo]:
    echo = Echo()
    if request.param == "unix":
        server = await asyncio.start_unix_server(echo.serve, tmp_path / "echo.sock")
        echo.address = f"unix:{tmp_path / 'echo.sock'}"
    else:
        server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
        echo.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield echo
    server.close()
    await echo.all_ended()


@pytest.fixture
async def proxy(echo: Echo, tmp_path: Path) -> AsyncIterator[FaultProxy]:
    """A proxy that clients reach as it reaches the server: by TCP, or by a Unix socket."""
    listen = tmp_path / "proxy.sock" if echo.address.startswith("unix:") else None
    async with FaultProxy(echo.address, listen=listen) as proxy:
        yield proxy


async def connect(address: str) -> Caller:
    if address.startswith("unix:"):
        return Caller(*await asyncio.open_unix_connection(address.removeprefix("unix:")))
    url = urlsplit(address)
    return Caller(*await asyncio.open_connection(url.hostname, url.port))


@asynccontextmanager
async def calling(proxy: FaultProxy) -> AsyncIterator[Caller]:
    caller = await connect(proxy.address)
    try:
        yield caller
    finally:
        caller.writer.close()
        with suppress(OSError):
            await caller.writer.wait_closed()


def is_tcp(proxy: FaultProxy) -> bool:
    return proxy.address.startswith("http:")


async def broken(caller: Caller, proxy: FaultProxy) -> bytes:
    """Read until the reset, which a Unix socket shows as an end, and return what came before."""
    if not is_tcp(proxy):
        return await caller.rest()
    came = b""
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(PATIENCE):
            while data := await caller.reader.read(1):
                came += data
    return came


async def test_without_faults_everything_passes(proxy: FaultProxy, echo: Echo) -> None:
    data = bytes(range(256)) * 4096
    async with calling(proxy) as one, calling(proxy) as other:
        answers = tuple(await asyncio.gather(one.ask(data), other.ask(data[::-1])))
        assert answers == (data, data[::-1])
        assert (proxy.connections, proxy.open_connections) == (2, 2)
        assert proxy.passed == 2 * len(data)
    assert await echo.all_ended() == ["end", "end"]
    assert proxy.open_connections == 0


async def test_an_end_passes_either_way(proxy: FaultProxy, echo: Echo) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"hello")
        caller.writer.write_eof()
        assert await caller.rest() == b""
        assert await echo.all_ended() == ["end"]


async def test_latency_delays_every_piece_both_ways(proxy: FaultProxy) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"before")
        proxy.latency = 0.1
        for _ in range(2):
            began = time.perf_counter()
            assert await caller.ask(b"late") == b"late"
            assert time.perf_counter() - began >= 2 * proxy.latency - 0.01


async def test_latency_does_not_add_up(proxy: FaultProxy) -> None:
    proxy.latency = 0.2
    async with calling(proxy) as caller:
        await caller.ask(b"connected")
        began = time.perf_counter()
        for _ in range(20):
            caller.writer.write(b"piece")
            await asyncio.sleep(0.01)
        assert await caller.get(100) == b"piece" * 20
        # One after the other they would take twenty times the latency, each way.
        assert time.perf_counter() - began < 10 * proxy.latency


async def test_bandwidth_is_kept_and_data_trickles(proxy: FaultProxy) -> None:
    proxy.bandwidth = 50_000
    async with calling(proxy) as caller:
        began = time.perf_counter()
        caller.writer.write(bytes(10_000))
        first = await caller.reader.read(65_536)
        assert len(first) < 5_000
        await caller.get(10_000 - len(first))
        assert time.perf_counter() - began >= 0.9 * (10_000 - 1_000) / proxy.bandwidth
        proxy.bandwidth = None
        assert await caller.ask(b"fast again") == b"fast again"


async def test_slices_are_no_larger_than_wanted(proxy: FaultProxy) -> None:
    proxy.slice_bytes = 7
    async with calling(proxy) as caller:
        caller.writer.write(b"0123456789" * 10)
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < 100:
            pieces.append(await caller.reader.read(65_536))
        assert b"".join(pieces) == b"0123456789" * 10
        # The kernel may join two of them now and then.
        assert len(pieces) > 100 // 7 // 2


async def test_a_black_hole_swallows_both_ways_and_tells_nobody(
    proxy: FaultProxy, echo: Echo
) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"before")
        proxy.swallow()
        caller.writer.write(b"lost")
        await caller.nothing_comes()
        assert bytes(echo.heard) == b"before"
        await proxy.accept()
        assert await caller.ask(b"after") == b"after"
        assert bytes(echo.heard) == b"beforeafter"


async def test_a_black_hole_hides_the_end_of_the_other_side(proxy: FaultProxy, echo: Echo) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"before")
        proxy.swallow()
        caller.writer.write_eof()
        await caller.nothing_comes()
        assert echo.ends == []
        assert proxy.open_connections == 0


async def test_a_new_connection_falls_into_the_hole_too(proxy: FaultProxy, echo: Echo) -> None:
    proxy.swallow()
    async with calling(proxy) as caller:
        caller.writer.write(b"lost")
        await caller.nothing_comes()
        assert bytes(echo.heard) == b""


async def test_a_reset_is_seen_by_both_sides(proxy: FaultProxy, echo: Echo) -> None:
    async with calling(proxy) as caller, calling(proxy) as other:
        await asyncio.gather(caller.ask(b"hello"), other.ask(b"hello"))
        proxy.reset()
        await asyncio.gather(broken(caller, proxy), broken(other, proxy))
        assert await echo.all_ended() == ["reset" if is_tcp(proxy) else "end"] * 2
    async with calling(proxy) as caller:
        assert await caller.ask(b"again") == b"again"


async def test_an_end_in_mid_stream_is_in_good_order(proxy: FaultProxy, echo: Echo) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"hello")
        proxy.end()
        assert await caller.rest() == b""
        assert await echo.all_ended() == ["end"]


async def test_after_a_half_close_the_client_is_still_heard(proxy: FaultProxy, echo: Echo) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"hello")
        proxy.half_close()
        assert await caller.rest() == b""
        caller.writer.write(b" there")
        caller.writer.write_eof()
        assert await echo.all_ended() == ["end"]
        assert bytes(echo.heard) == b"hello there"


async def test_refused_connections_and_then_none(proxy: FaultProxy) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"hello")
        address = proxy.address
        await proxy.refuse()
        await broken(caller, proxy)
        with pytest.raises(OSError):
            await connect(proxy.address)
    await proxy.accept()
    assert proxy.address == address
    async with calling(proxy) as caller:
        assert await caller.ask(b"again") == b"again"


async def test_who_was_just_accepted_is_refused_too(proxy: FaultProxy, echo: Echo) -> None:
    async with calling(proxy) as caller:
        await proxy.refuse()
        with suppress(ConnectionResetError):
            assert await caller.rest() == b""
    assert bytes(echo.heard) == b""


async def test_a_server_that_is_away_resets_the_client(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for upstream in (nobody, f"unix:{tmp_path / 'nobody.sock'}"):
            async with FaultProxy(upstream) as proxy, calling(proxy) as caller:
                await broken(caller, proxy)


async def test_junk_is_sent_before_the_end(proxy: FaultProxy) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"hello")
        proxy.junk()
        assert b"junk" in await caller.rest()


@pytest.mark.parametrize("cut", ["reset", "end", "hole", "junk"])
async def test_a_cut_comes_after_exactly_so_many_bytes_and_once(
    proxy: FaultProxy, cut: str
) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"12345")
        proxy.cut, proxy.cut_after = cut, 8  # type: ignore[assignment]
        caller.writer.write(b"67890")
        assert await caller.get(3) == b"678"
        if cut == "reset":
            assert await broken(caller, proxy) == b""
        elif cut == "end":
            assert await caller.rest() == b""
        elif cut == "junk":
            assert b"junk" in await caller.rest()
        else:
            await caller.nothing_comes()
            await proxy.accept()
            assert await caller.ask(b"after") == b"after"
    async with calling(proxy) as caller:
        assert await caller.ask(bytes(100)) == bytes(100)


async def test_a_cut_that_is_due_already_lets_nothing_more_through(proxy: FaultProxy) -> None:
    async with calling(proxy) as caller:
        await caller.ask(b"12345")
        proxy.cut, proxy.cut_after = "end", 2
        caller.writer.write(b"67890")
        assert await caller.rest() == b""


async def test_the_end_of_the_proxy_ends_its_connections(echo: Echo) -> None:
    async with nothing_left(PATIENCE):
        async with FaultProxy(echo.address) as proxy:
            callers = [await connect(proxy.address) for _ in range(3)]
            await asyncio.gather(*(caller.ask(b"hello") for caller in callers))
        for caller in callers:
            await broken(caller, proxy)
            caller.writer.close()
        await echo.all_ended()
