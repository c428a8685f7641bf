"""A model in trouble shows in the engine's readiness."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.hearing import STT
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.readiness import Component

pytestmark = pytest.mark.unit


@pytest.fixture
def speech(tmp_path: Path) -> Iterator[Speech]:
    with ThreadPoolExecutor(1) as threads:
        speech = Speech(EngineConfig("unix:unused", tmp_path), threads)
        for name in speech.readiness.as_dict()["components"]:
            speech.readiness.set(name, Component("ready"))
        yield speech


def test_an_engine_whose_model_hangs_is_not_ready_until_it_is_back(speech: Speech) -> None:
    assert speech.readiness.ready
    speech._hearing._show_trouble(STT, EngineError("failed", "It hangs.", retryable=True))
    assert not speech.readiness.ready
    assert speech.readiness[STT] == Component("loading", "It hangs.")
    speech._hearing._show_trouble(STT, None)
    assert speech.readiness.ready


def test_an_engine_whose_model_is_lost_says_why(speech: Speech) -> None:
    speech._hearing._show_trouble(STT, EngineError("failed", "Start the engine again."))
    assert speech.readiness[STT] == Component("failed", "Start the engine again.", code="failed")


def test_readiness_says_how_busy_the_engine_is(speech: Speech) -> None:
    assert speech.readiness.as_dict()["load"] == 0
    speech.readiness.load = lambda: 0.51234
    assert speech.readiness.as_dict()["load"] == 0.51


async def test_what_nobody_foresaw_is_a_failure_and_the_rest_goes_on(
    speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def surprise(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(speech._hearing, "load", surprise)
    monkeypatch.setattr(speech, "_load_voices", lambda _: asyncio.sleep(0))
    await speech.load()
    assert speech.readiness[STT].state == "failed"
    assert "ZeroDivisionError" in speech.readiness[STT].message
    others = [name for name in speech.readiness.as_dict()["components"] if name != STT]
    assert {speech.readiness[name].state for name in others} == {"ready"}
