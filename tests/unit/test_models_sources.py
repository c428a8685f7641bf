import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest
from livekit.plugins.local.models import ModelError, ModelStore
from livekit.plugins.local.models.download import download, open_session
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import Package
from livekit.plugins.local.models.sources import NpmResolver, PipResolver
from livekit.plugins.local.models.sources.client import Answer, run_client

from tests.support.models_origin import Fault, Origin, manifest, model, run_origin

pytestmark = pytest.mark.unit

CONTENT = os.urandom(50_000)
ENTRY = model({"model.bin": CONTENT})


@pytest.fixture
async def origin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    async with run_origin() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        server.content["/file"] = CONTENT
        yield server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


async def get(session: aiohttp.ClientSession, origin: Origin, target: Path) -> list[int]:
    seen: list[int] = []
    await download(session, f"{origin.url}/file", target, size=len(CONTENT), on_bytes=seen.append)
    assert target.read_bytes() == CONTENT
    return seen


def package(name: str) -> Package:
    return Package(name, "1.0.0", 1)


# Downloads


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


async def test_a_server_that_falls_silent_is_given_up(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livekit.plugins.local.models.download.SILENCE_SECONDS", 0.3)
    origin.faults[origin.add_hub_file(ENTRY, ENTRY.files[0], CONTENT)] = Fault(hold_after=0)
    error = await refused_by_the_hub(tmp_path)
    assert error.code == "timeout"
    assert "(hub: 127.0.0.1 sent nothing for 0.3 s)" in error.message


async def test_an_address_that_is_not_http_is_refused(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="not an HTTP address"):
        await download(
            session, "file:///etc/hosts", tmp_path / "file", size=9, on_bytes=lambda _: None
        )


# The hub


async def refused_by_the_hub(tmp_path: Path) -> ModelError:
    store = ModelStore(tmp_path, manifest=manifest(ENTRY))
    with pytest.raises(ModelError) as caught:
        await store.ensure("small")
    return caught.value


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


# pip and npm


async def test_the_wheels_of_all_packages_are_found_in_one_call() -> None:
    origin = Origin()
    origin.url = "http://index"
    origin.add_package("pypi", "one", {"a": b"1"})
    origin.add_package("pypi", "two-more", {"a": b"2"})
    artifacts = await origin.resolvers()["pypi"].resolve([package("one"), package("two-more")])
    assert [artifact.url for artifact in artifacts] == [
        "http://index/pypi/one",
        "http://index/pypi/two-more",
    ]
    assert {len(artifact.digest) for artifact in artifacts} == {64}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement x==1.0.0 (from "
            "versions: none)\nERROR: No matching distribution found for x==1.0.0",
            "not_found",
        ),
        (
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by ...\n"
            "ERROR: No matching distribution found for x==1.0.0",
            "offline",
        ),
        ("/usr/bin/python: No module named pip", "no_client"),
        ("ERROR: Can not perform a '--user' install.", "network"),
        ("", "network"),
    ],
)
async def test_pip_says_why_not(answer: str, code: str) -> None:
    async def run(_: Sequence[str]) -> Answer:
        return Answer(1, "", answer)

    with pytest.raises(Refused) as caught:
        await PipResolver(run, lambda _: "").resolve([package("x")])
    assert caught.value.code == code


async def test_an_index_that_cannot_be_reached_is_asked_once() -> None:
    asked: list[Sequence[str]] = []

    async def run(command: Sequence[str]) -> Answer:
        asked.append(command)
        return Answer(1, "", "WARNING: Retrying (Retry(total=0)) after connection broken by ...")

    resolver = PipResolver(run, lambda _: "")
    both = [resolver.resolve([package(name)]) for name in ("one", "another")]
    refusals = await asyncio.gather(*both, return_exceptions=True)
    assert [getattr(each, "code", each) for each in refusals] == ["offline", "offline"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (1, '{"error": {"code": "E404", "summary": "Not Found"}}', "not_found"),
        (1, '{"error": {"code": "ECONNREFUSED", "summary": "..."}}', "offline"),
        (1, "", "network"),
        (0, '{"tarball": "http://registry/x.tgz", "shasum": "00"}', "network"),
    ],
)
async def test_npm_says_why_not(status: int, answer: str, code: str) -> None:
    async def run(_: Sequence[str]) -> Answer:
        return Answer(status, answer, "")

    with pytest.raises(Refused) as caught:
        await NpmResolver(run, str).resolve([package("x")])
    assert caught.value.code == code


async def test_a_report_that_is_not_understood_is_a_refusal() -> None:
    async def run(_: Sequence[str]) -> Answer:
        return Answer(0, '{"install": [{}]}', "")

    with pytest.raises(Refused, match="not understood"):
        await PipResolver(run, lambda _: "").resolve([package("x")])


async def test_a_missing_program_is_a_clear_refusal() -> None:
    with pytest.raises(Refused, match="no-such-program is not installed") as caught:
        await run_client(["no-such-program", "--version"])
    assert caught.value.code == "no_client"


async def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livekit.plugins.local.models.sources.client.CLIENT_SECONDS", 0.2)
    with pytest.raises(Refused, match=r"did not answer within 0.2 s"):
        await run_client([sys.executable, "-c", "import time; time.sleep(60)"])


async def test_a_program_ends_with_the_fetch_that_asked(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys, time;"
        "pathlib.Path(sys.argv[1] + '.new').write_text(str(os.getpid()));"
        "os.rename(sys.argv[1] + '.new', sys.argv[1]); time.sleep(60)"
    )
    mark = tmp_path / "pid"
    asking = asyncio.create_task(run_client([sys.executable, "-c", script, str(mark)]))
    while not mark.exists():
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
