"""The hub and mirrors: what each sends, and why it does not."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit.plugins.local.models import ModelError, ModelStore

from tests.support.models_origin import Fault, Origin, manifest, model, run_hub, run_origin

pytestmark = pytest.mark.unit

CONTENT = os.urandom(50_000)
ENTRY = model({"model.bin": CONTENT})


@pytest.fixture
async def origin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    async with run_hub(monkeypatch) as server:
        yield server


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


# The hub


async def refused_by_the_hub(tmp_path: Path) -> ModelError:
    store = ModelStore(tmp_path, manifest=manifest(ENTRY))
    with pytest.raises(ModelError) as caught:
        await store.ensure("small")
    return caught.value


async def test_a_server_that_falls_silent_is_given_up(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livekit.plugins.local.models.download.SILENCE_SECONDS", 0.3)
    origin.faults[origin.add_hub_file(ENTRY, ENTRY.files[0], CONTENT)] = Fault(hold_after=0)
    error = await refused_by_the_hub(tmp_path)
    assert error.code == "timeout"
    assert "(hub: 127.0.0.1 sent nothing for 0.3 s)" in error.message


@pytest.mark.parametrize(
    ("status", "headers", "code"),
    [
        (401, {}, "gated"),
        (403, {"X-Error-Code": "GatedRepo"}, "gated"),
        (401, {"X-Error-Code": "RepoNotFound"}, "not_found"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "bad_revision"),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, "bad_token"),
        (404, {}, "not_found"),
        (503, {}, "network"),
    ],
)
async def test_the_hub_says_why_not(
    origin: Origin, tmp_path: Path, status: int, headers: dict[str, str], code: str
) -> None:
    path = origin.add_hub_file(ENTRY, ENTRY.files[0], CONTENT)
    origin.faults[path] = Fault(status=status, headers=headers)
    error = await refused_by_the_hub(tmp_path)
    assert error.code == code
    assert "(hub: 127.0.0.1 " in error.message
    assert ("HF_TOKEN" in error.message) == (code in ("gated", "bad_token"))


async def test_an_offline_hub_is_not_asked(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin.add_hub_file(ENTRY, ENTRY.files[0], CONTENT)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = await refused_by_the_hub(tmp_path)
    assert error.code == "offline_mode"
    assert "HF_HUB_OFFLINE" in error.message
    assert origin.requests == []


async def test_a_hub_that_cannot_be_reached_is_asked_once(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = model({"other.bin": CONTENT}, model_id="other")
    store = ModelStore(tmp_path, manifest=manifest(ENTRY, other))
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused_port()}")
    started = time.monotonic()
    with pytest.raises(ModelError) as caught:
        await store.ensure("small")
    assert time.monotonic() - started < 3
    assert caught.value.code == "offline"
    monkeypatch.setenv("HF_ENDPOINT", origin.url)
    with pytest.raises(ModelError, match="cannot be reached"):
        await store.ensure("other")
    assert origin.requests == []


async def test_a_hub_that_does_not_answer_is_given_up_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livekit.plugins.local.models.sources.hub.CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        address = silent.getsockname()
        # A full backlog makes the kernel ignore further connections, as a dropped packet would.
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{address[1]}")
        error = await refused_by_the_hub(tmp_path)
        for client in waiting:
            client.close()
    assert error.code == "offline"
    assert "did not answer within 0.2 s" in error.message


async def test_the_token_goes_to_the_hub_and_no_further(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    async with run_origin() as storage:
        storage.content["/blob"] = CONTENT
        path = origin.add_hub_file(ENTRY, ENTRY.files[0], b"")
        location = {"Location": f"{storage.url}/blob"}
        origin.faults[path] = Fault(status=302, headers=location)
        await ModelStore(tmp_path, manifest=manifest(ENTRY)).ensure("small")
        assert [request.authorization for request in origin.requests] == ["Bearer hf_secret"]
        assert [request.authorization for request in storage.requests] == [None]


# Mirrors: web servers and directories


def store_with(root: Path, *sources: str) -> ModelStore:
    return ModelStore(root, manifest=manifest(ENTRY), sources=sources)


def assert_intact(directory: Path) -> None:
    assert (directory / "model.bin").read_bytes() == CONTENT


async def test_a_web_server_with_a_copy_of_the_store_is_a_source(
    origin: Origin, tmp_path: Path
) -> None:
    path = f"/copy/sha256/{ENTRY.files[0].sha256}"
    origin.content[path] = CONTENT
    origin.faults[path] = cut = Fault(hold_after=8192, cut=True)
    fetching = asyncio.create_task(store_with(tmp_path, f"{origin.url}/copy").ensure("small"))
    partial = tmp_path / "partial" / "small" / ENTRY.files[0].sha256
    async with asyncio.timeout(10):
        while not partial.exists() or partial.stat().st_size == 0:
            await asyncio.sleep(0.005)
    del origin.faults[path]
    cut.release.set()
    assert_intact(await fetching)
    assert origin.asked(path)[1] > 0


async def test_a_mirror_that_sends_other_bytes_is_passed_over_and_named(
    origin: Origin, tmp_path: Path
) -> None:
    origin.content[f"/sha256/{ENTRY.files[0].sha256}"] = CONTENT[::-1]
    with pytest.raises(ModelError) as caught:
        await store_with(tmp_path, origin.url).ensure("small")
    assert caught.value.code == "hash_mismatch"
    assert "(mirror 127.0.0.1: model.bin has other bytes than expected)" in caught.value.message
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    origin.add_hub_file(ENTRY, ENTRY.files[0], CONTENT)
    assert_intact(await store_with(tmp_path, origin.url, "hub").ensure("small"))


async def test_the_end_of_a_file_is_not_blamed_for_a_beginning_from_elsewhere(
    origin: Origin, tmp_path: Path
) -> None:
    partial = tmp_path / "partial" / "small" / ENTRY.files[0].sha256
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"wrong" * 1000)
    path = origin.add_hub_file(ENTRY, ENTRY.files[0], CONTENT)
    assert_intact(await store_with(tmp_path, "hub").ensure("small"))
    assert origin.asked(path) == [5000, 0]


async def test_a_password_in_a_mirrors_address_is_not_shown(tmp_path: Path) -> None:
    place = f"http://user:secret@127.0.0.1:{unused_port()}/models"
    with pytest.raises(ModelError, match=r"mirror 127\.0\.0\.1: 127\.0\.0\.1 cannot be") as caught:
        await store_with(tmp_path, place).ensure("small")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("layout", ["sha256/{hash}", "small/model.bin", "model.bin"])
async def test_a_directory_is_a_source(tmp_path: Path, layout: str) -> None:
    file = tmp_path / "disk" / layout.format(hash=ENTRY.files[0].sha256)
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    assert_intact(await store_with(tmp_path / "store", str(tmp_path / "disk")).ensure("small"))


async def test_why_each_source_refused_is_kept(origin: Origin, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "model.bin").write_bytes(CONTENT[:-1])
    origin.faults[origin.add_hub_file(ENTRY, ENTRY.files[0], CONTENT)] = Fault(status=503)
    places = (str(tmp_path / "nowhere"), str(disk), origin.url, "hub")
    with pytest.raises(ModelError) as caught:
        await store_with(tmp_path / "store", *places).ensure("small")
    assert caught.value.code == "truncated"
    for said in (
        f"{tmp_path / 'nowhere'}: there is no such directory",
        f"{disk}: its model.bin is not 50000 bytes long",
        "mirror 127.0.0.1: 127.0.0.1 does not have it (status 404)",
        "hub: 127.0.0.1 answered with an error (status 503)",
    ):
        assert said in caught.value.message


async def test_downloads_go_through_the_proxy_that_the_environment_names(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "no_proxy", "NO_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    # The origin answers whatever the host is, as a proxy does.
    monkeypatch.setenv("HTTP_PROXY", origin.url)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    origin.add_hub_file(ENTRY, ENTRY.files[0], CONTENT)
    assert_intact(await store_with(tmp_path / "proxied", "hub").ensure("small"))
    assert len(origin.requests) == 1
    monkeypatch.setenv("NO_PROXY", "hub.invalid")
    with pytest.raises(ModelError, match=r"hub\.invalid cannot be reached") as caught:
        await store_with(tmp_path / "direct", "hub").ensure("small")
    assert caught.value.code == "offline"
