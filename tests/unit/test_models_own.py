"""Models that no manifest lists: repositories of the hub, asked by its library, and folders."""

import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit.plugins.local.engine.device import Device
from livekit.plugins.local.engine.stt.registry import FAMILIES, ModelContext, family_of
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.models import ModelError, ModelStore, Progress, check_gguf

from tests.support.models_origin import Fault, Origin, manifest, model, run_origin

pytestmark = pytest.mark.unit

WEIGHTS = os.urandom(100_000)
FILES = {
    "config.json": b"{}",
    "model.bin": WEIGHTS,
    "tokenizer.json": b'{"version": "1.0"}' * 100,
    "vocabulary.txt": b"a\nb\n",
}
OTHERS = {"README.md": b"# Whisper", "model.safetensors": b"x" * 2000}
REPO = "my-org/whisper.fr"
API = f"/api/models/{REPO}/revision/main"


@pytest.fixture
async def origin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    async with run_origin() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        server.add_repository(REPO, FILES | OTHERS)
        yield server


def store_of(root: Path, *sources: str) -> ModelStore:
    return ModelStore(root, manifest=manifest(model(FILES)), sources=sources or ("hub",))


def assert_intact(directory: Path) -> None:
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == FILES


async def refused(root: Path, name: str = REPO) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await store_of(root).ensure(name)
    assert name in caught.value.message
    assert not (root / "models").exists()
    return caught.value


async def test_a_repository_of_the_hub_is_a_model(origin: Origin, tmp_path: Path) -> None:
    store = store_of(tmp_path)
    assert store.locate(REPO) is None
    seen: list[Progress] = []
    directory = await store.ensure(REPO, seen.append)
    assert_intact(directory)
    assert store.locate(REPO) == directory
    assert {progress.model for progress in seen} == {REPO}
    assert seen[-1].state == "ready"
    assert not any("README" in request.path for request in origin.requests)


async def test_what_it_was_fetched_as_is_what_it_stays(origin: Origin, tmp_path: Path) -> None:
    await store_of(tmp_path).ensure(REPO)
    origin.add_repository(REPO, FILES | {"model.bin": WEIGHTS[::-1]}, commit="beef")
    origin.requests.clear()
    store = store_of(tmp_path)
    assert_intact(await store.ensure(REPO))
    assert origin.requests == []
    assert await store.remove(REPO) == sum(map(len, FILES.values()))
    directory = await store.ensure(REPO)
    assert (directory / "model.bin").read_bytes() == WEIGHTS[::-1]


async def test_a_revision_can_be_named(origin: Origin, tmp_path: Path) -> None:
    origin.add_repository(REPO, FILES, revision="v2", commit="beef")
    assert_intact(await store_of(tmp_path).ensure(f"{REPO}@v2"))
    assert {request.path.split("/")[4] for request in origin.requests[1:]} == {"beef"}


async def test_a_damaged_file_is_fetched_again_from_the_same_commit(
    origin: Origin, tmp_path: Path
) -> None:
    directory = await store_of(tmp_path).ensure(REPO)
    (directory / "tokenizer.json").write_bytes(b"{}")
    origin.requests.clear()
    assert_intact(await store_of(tmp_path).ensure(REPO))
    assert [request.path for request in origin.requests] == [
        f"/{REPO}/resolve/c0ffee/tokenizer.json"
    ]


@pytest.mark.parametrize(
    ("status", "headers", "code", "said"),
    [
        (403, {"X-Error-Code": "GatedRepo"}, "gated", "accept them on the model's page"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "bad_revision", "what stands after the `@`"),
        (404, {"X-Error-Code": "RepoNotFound"}, "not_found", f"the hub has no {REPO}"),
        (401, {}, "gated", "denies access"),
        (
            401,
            {"X-Error-Message": "Invalid credentials in Authorization header"},
            "bad_token",
            "set HF_TOKEN to a valid token",
        ),
        (500, {}, "network", "status 500"),
    ],
)
async def test_the_hub_says_why_not(
    origin: Origin,
    tmp_path: Path,
    status: int,
    headers: dict[str, str],
    code: str,
    said: str,
) -> None:
    origin.faults[API] = Fault(status=status, headers=headers)
    error = await refused(tmp_path)
    assert (error.code, said in error.message) == (code, True), error.message


async def test_the_token_is_sent(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    await store_of(tmp_path).ensure(REPO)
    assert {request.authorization for request in origin.requests} == {"Bearer hf_secret"}


async def test_gated_files_of_a_public_description_are_refused(
    origin: Origin, tmp_path: Path
) -> None:
    fault = Fault(status=403, headers={"X-Error-Code": "GatedRepo"})
    origin.faults[f"/{REPO}/resolve/c0ffee/model.bin"] = fault
    assert (await refused(tmp_path)).code == "gated"


async def test_a_hub_that_cannot_be_reached(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
    error = await refused(tmp_path)
    assert error.code == "offline"
    assert f"`eloquence models pull {REPO}`" in error.message


async def test_offline_the_hub_is_not_asked(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert (await refused(tmp_path)).code == "offline_mode"
    assert origin.requests == []


@pytest.mark.parametrize("name", ["config.json", "model.bin"])
async def test_other_bytes_than_the_hub_describes_are_refused(
    origin: Origin, tmp_path: Path, name: str
) -> None:
    origin.content[f"/{REPO}/resolve/c0ffee/{name}"] = FILES[name][::-1]
    error = await refused(tmp_path)
    assert error.code == "hash_mismatch"
    assert name in error.message


@pytest.mark.parametrize("lacking", ["tokenizer.json", "model.bin", "vocabulary.txt"])
async def test_a_repository_that_is_no_whisper_model_is_refused_before_it_is_fetched(
    origin: Origin, tmp_path: Path, lacking: str
) -> None:
    files = {name: content for name, content in FILES.items() if name != lacking}
    origin.add_repository(REPO, files)
    error = await refused(tmp_path)
    assert error.code == "wrong_format"
    assert f"it has no {lacking.replace('txt', '*')}" in error.message
    assert [request.path for request in origin.requests] == [API]


async def test_names_that_would_climb_are_refused(origin: Origin, tmp_path: Path) -> None:
    answer = json.loads(origin.content[API])
    answer["siblings"].append({"rfilename": "vocabulary.\\..\\x", "size": 1, "blobId": "0" * 40})
    origin.content[API] = json.dumps(answer).encode()
    assert (await refused(tmp_path)).code == "wrong_format"
    with pytest.raises(ModelError, match="There is no model"):
        await store_of(tmp_path).ensure("../../etc@x")


# Directories


def own_directory(root: Path, *lacking: str) -> Path:
    root.mkdir()
    for name, content in FILES.items():
        if name not in lacking:
            (root / name).write_bytes(content)
    return root


async def test_a_directory_is_used_where_it_is(tmp_path: Path) -> None:
    store, path = store_of(tmp_path / "store"), own_directory(tmp_path / "mine")
    assert await store.ensure(str(path)) == store.locate(str(path)) == path
    assert await store.verify(str(path)) == []
    store.require_space([str(path)])
    assert not (tmp_path / "store").exists()
    with pytest.raises(ModelError, match="There is no model"):
        await store.remove(str(path))
    assert path.is_dir()


async def test_a_directory_that_is_missing_or_lacks_a_file(tmp_path: Path) -> None:
    store = store_of(tmp_path / "store")
    with pytest.raises(ModelError) as missing:
        await store.ensure(str(tmp_path / "nowhere"))
    assert missing.value.code == "no_such_path"
    # Without it, the library would ask the hub.
    path = own_directory(tmp_path / "mine", "tokenizer.json")
    with pytest.raises(ModelError) as lacking:
        await store.ensure(str(path))
    assert lacking.value.code == "wrong_format"
    assert f"{path} is not a model that can be loaded: it has no tokenizer.json" in str(
        lacking.value
    )


@pytest.mark.parametrize("name", [REPO, f"{REPO}@v2", "/models/mine", "./mine", "~/mine"])
def test_every_own_model_is_a_whisper(name: str) -> None:
    assert family_of(name) is FAMILIES["whisper"]


def test_a_damaged_model_of_ones_own_is_told_from_one_that_can_be_fetched_again(
    tmp_path: Path,
) -> None:
    path, cpu = own_directory(tmp_path / "mine"), Device("cpu", 0, "int8")
    for name, code in ((str(path), "wrong_format"), ("whisper-base", "corrupt")):
        with pytest.raises(EngineError) as caught:
            family_of(name).load(ModelContext(name, path, cpu, 1, "auto"))
        assert caught.value.code == code
        assert caught.value.remedy


GGUF = b"GGUF" + os.urandom(5000)
LLM_REPO = "my-org/my-model-GGUF"


async def test_one_file_of_a_repository_is_a_language_model(origin: Origin, tmp_path: Path) -> None:
    origin.add_repository(
        LLM_REPO, {"m-q4.gguf": GGUF, "m-q8.gguf": b"GGUF" * 9, "README.md": b"#"}
    )
    store, name = store_of(tmp_path), f"{LLM_REPO}/m-q4.gguf"
    directory = await store.ensure(name)
    assert [path.name for path in directory.iterdir()] == ["m-q4.gguf"]
    assert check_gguf(directory).read_bytes() == GGUF
    assert store.locate(name) == directory
    assert [model.kind for model in store.own] == ["llm"]
    with pytest.raises(ModelError, match=r"has no other\.gguf"):
        await store.ensure(f"{LLM_REPO}/other.gguf")


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({}, "not_gguf", "it has no file `*.gguf`"),
        ({"a.gguf": b"GGUF", "b.gguf": b"GGUF"}, "not_gguf", "name one of them"),
        ({"a.gguf": b"PK"}, "not_gguf", "does not begin as such files do"),
        (None, "no_such_path", "There is no model at"),
    ],
)
def test_a_path_that_is_no_language_model_is_named(
    tmp_path: Path, files: dict[str, bytes] | None, code: str, said: str
) -> None:
    path = tmp_path / "model"
    if files is not None:
        path.mkdir()
        for name, content in files.items():
            (path / name).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        check_gguf(path)
    assert caught.value.code == code
    assert said in caught.value.message
    assert str(path) in caught.value.message


def test_a_language_model_may_come_in_several_files(tmp_path: Path) -> None:
    for part in (1, 2):
        (tmp_path / f"m-0000{part}-of-00002.gguf").write_bytes(GGUF)
    assert check_gguf(tmp_path).name == "m-00001-of-00002.gguf"
    assert check_gguf(tmp_path / "m-00001-of-00002.gguf").is_file()
