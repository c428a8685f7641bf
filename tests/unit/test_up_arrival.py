"""Before anything is started, ``up`` knows which models cannot come, and why."""

import socket
from pathlib import Path

import pytest
from livekit.plugins.local.models import ModelStore

from agent.settings import Settings
from agent.up import arrival
from agent.up.arrival import missing_for_ever
from tests.support.doctor import settings
from tests.support.models_origin import Fault, manifest, model, run_origin
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

FILES = {"model.bin": b"x" * 500_000}
NAME = "whisper-small"
ENTRY = model(FILES, model_id=NAME)


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that need one model, which is not here, and ask the hub alone for it."""
    store = ModelStore(tmp_path, manifest=manifest(ENTRY), sources=("hub",))
    monkeypatch.setattr(arrival, "model_store", lambda _: store)
    monkeypatch.setattr(arrival, "needed_models", lambda _: [NAME])
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return settings()


async def test_a_model_that_comes_is_no_news_and_is_not_waited_for(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/{ENTRY.hub.repo}/resolve/{ENTRY.hub.revision}/model.bin"
    async with run_origin() as origin:
        monkeypatch.setenv("HF_ENDPOINT", origin.url)
        origin.add_hub_file(ENTRY, ENTRY.files[0], FILES["model.bin"])
        origin.faults[path] = Fault(hold_after=200_000, trickle=0.05)
        assert await missing_for_ever(given) == []
        assert origin.asked(path) == [0]


async def test_where_nothing_can_be_reached_the_sentence_says_why_and_what_to_do(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    [sentence] = await missing_for_ever(given)
    assert sentence.startswith(f"The model {NAME} is not on this machine, and nothing that has it")
    assert "127.0.0.1 cannot be reached" in sentence
    assert f"`eloquence models pull {NAME}`" in sentence


async def test_a_network_that_swallows_everything_is_not_waited_for(
    given: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        [sentence] = await missing_for_ever(given)
    assert f"Nothing that has the model {NAME} has answered within 0.3 s" in sentence
