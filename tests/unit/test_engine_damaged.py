"""A damaged model is noticed when the engine loads it, set aside, and fetched again."""

import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.hearing import STT
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.stt import registry
from livekit.plugins.local.engine.stt.registry import Family, ModelContext
from livekit.plugins.local.errors import engine_error

from tests.support.models_origin import Origin, run_origin

pytestmark = pytest.mark.unit

WEIGHTS = os.urandom(50_000)
FILES = {
    "config.json": b"{}",
    "model.bin": WEIGHTS,
    "tokenizer.json": b"{}",
    "vocabulary.txt": b"a",
}
REPO = "my/whisper"


class Loader:
    """Stands for the library: it loads what is whole, and says why it does not load the rest."""

    name = REPO

    def __init__(self) -> None:
        self.loads = 0

    def load(self, context: ModelContext) -> Any:
        assert context.path
        self.loads += 1
        if (context.path / "model.bin").read_bytes() != WEIGHTS:
            raise engine_error("wrong_format", model=REPO, reason="invalid payload size")
        return self

    def reload(self) -> None: ...


@pytest.fixture
async def origin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    async with run_origin() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        server.add_repository(REPO, FILES)
        yield server


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Loader:
    loader = Loader()
    monkeypatch.setattr(registry, "FAMILIES", {"whisper": Family(loader.load)})
    return loader


async def load(root: Path) -> Speech:
    with ThreadPoolExecutor(1) as threads:
        config = EngineConfig("unix:unused", root, "cpu", REPO, voices={})
        speech = Speech(config, threads)
        await speech.load()
        await speech.aclose()
        return speech


@pytest.mark.parametrize("how", ["overwritten", "truncated", "decayed"])
async def test_a_damaged_model_is_fetched_again(
    origin: Origin, loader: Loader, tmp_path: Path, how: str
) -> None:
    assert (await load(tmp_path)).readiness[STT].state == "ready"
    file = (tmp_path / "models" / "my--whisper--main" / "model.bin").resolve()
    times = file.stat().st_mtime_ns
    if how == "truncated":
        os.truncate(file, 100)
    else:
        file.write_bytes(WEIGHTS[::-1])
    if how == "decayed":
        # As a failing disk would do it: nobody wrote to the file.
        os.utime(file, ns=(times, times))
    origin.requests.clear()
    loader.loads = 0
    assert (await load(tmp_path)).readiness[STT].state == "ready"
    assert [request.path.rpartition("/")[2] for request in origin.requests] == ["model.bin"]
    assert loader.loads == (2 if how == "decayed" else 1)
    assert not [*(tmp_path / "damaged").glob("*")], "kept only until the good one has come"


async def test_what_cannot_be_fetched_again_stays_set_aside(
    origin: Origin, loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load(tmp_path)
    (tmp_path / "models" / "my--whisper--main" / "model.bin").write_bytes(WEIGHTS[::-1])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    component = (await load(tmp_path)).readiness[STT]
    assert component.state == "failed"
    assert "HF_HUB_OFFLINE" in component.message
    (damaged,) = (tmp_path / "damaged").iterdir()
    assert damaged.read_bytes() == WEIGHTS[::-1]
