"""One file over HTTP: how far it is, where it goes on, and what is refused."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from livekit.plugins.local.models.download import download, open_session
from livekit.plugins.local.models.errors import Refused

from tests.support.models_origin import Fault, Origin, run_origin

pytestmark = pytest.mark.unit

CONTENT = os.urandom(50_000)


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with run_origin() as server:
        server.content["/file"] = CONTENT
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


async def get(session: aiohttp.ClientSession, origin: Origin, target: Path) -> list[int]:
    seen: list[int] = []
    await download(session, f"{origin.url}/file", target, size=len(CONTENT), on_bytes=seen.append)
    assert target.read_bytes() == CONTENT
    return seen


async def test_a_download_says_how_far_it_is(
    session: aiohttp.ClientSession, origin: Origin, tmp_path: Path
) -> None:
    seen = await get(session, origin, tmp_path / "file")
    assert seen[0] == 0
    assert seen[-1] == len(CONTENT)
    assert seen == sorted(seen)


async def test_a_complete_file_is_not_asked_for(
    session: aiohttp.ClientSession, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    await get(session, origin, tmp_path / "file")
    assert origin.requests == []


async def test_a_server_without_ranges_sends_everything_again(
    session: aiohttp.ClientSession, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(CONTENT[:20_000])
    origin.faults["/file"] = Fault(no_ranges=True)
    await get(session, origin, tmp_path / "file")
    assert origin.asked("/file") == [20_000]
    assert origin.sent("/file") == len(CONTENT)


async def test_what_is_longer_than_it_may_be_is_thrown_away(
    session: aiohttp.ClientSession, origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(CONTENT + b"more")
    await get(session, origin, tmp_path / "file")


@pytest.mark.parametrize("served", [CONTENT + b"more", CONTENT[:-1], CONTENT[:10_000]])
@pytest.mark.parametrize("unannounced", [False, True])
async def test_another_length_is_another_file(
    session: aiohttp.ClientSession,
    origin: Origin,
    tmp_path: Path,
    served: bytes,
    unannounced: bool,
) -> None:
    target = tmp_path / "file"
    target.write_bytes(CONTENT[:20_000])
    origin.content["/file"] = served
    origin.faults["/file"] = Fault(unannounced=unannounced)
    with pytest.raises(Refused) as caught:
        await get(session, origin, target)
    assert caught.value.code == "truncated"
    assert not target.exists() or target.stat().st_size == 0


async def test_a_transfer_that_brings_nothing_is_given_up(
    session: aiohttp.ClientSession, origin: Origin, tmp_path: Path
) -> None:
    origin.faults["/file"] = cut = Fault(cut=True)
    cut.release.set()
    with pytest.raises(Refused, match=r"127\.0\.0\.1 broke off") as caught:
        await get(session, origin, tmp_path / "file")
    assert caught.value.code == "network"


async def test_an_address_that_is_not_http_is_refused(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="not an HTTP address"):
        await download(
            session, "file:///etc/hosts", tmp_path / "file", size=9, on_bytes=lambda _: None
        )
