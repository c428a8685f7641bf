"""Which recognisers there are, what they know, and the one that a package brings along."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.device import Device
from livekit.plugins.local.engine.hearing import STT
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.scheduler import Priority, Scheduler
from livekit.plugins.local.engine.stt.base import BatchingModel, Request, SpeechModel
from livekit.plugins.local.engine.stt.moonshine import MoonshineRecogniser
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.engine.stt.registry import (
    ModelContext,
    available,
    family_of,
    known_languages,
    require_languages,
)
from livekit.plugins.local.engine.stt.stream import SttStream
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import SttStart

pytestmark = pytest.mark.unit

TINY = "moonshine-tiny-en"
CPU = Device("cpu", 0, "int8")


class MoonshineError(Exception):
    pass


@dataclass
class FakePackage:
    """Stands for the module `moonshine_voice`.

    Attributes:
        lines: What is heard next.
        error: What the next call raises.
        heard: The audio it was given, and its rate.
        loaded: The options of every model that was loaded.
    """

    lines: list[str] = field(default_factory=lambda: ["You"])
    error: Exception | None = None
    heard: list[tuple[Sequence[float], int]] = field(default_factory=list)
    loaded: list[dict[str, str]] = field(default_factory=list)

    def module(self) -> ModuleType:
        package = self

        class Transcriber:
            def __init__(self, path: Path, arch: str, *, options: dict[str, str]) -> None:
                package.loaded.append(options)
                package.fail()

            def transcribe_without_streaming(self, audio: Sequence[float], rate: int) -> Any:
                package.heard.append((audio, rate))
                package.fail()
                return SimpleNamespace(lines=[SimpleNamespace(text=t) for t in package.lines])

        module: Any = ModuleType("moonshine_voice")
        module.Transcriber, module.MoonshineError = Transcriber, MoonshineError
        module.ModelArch = SimpleNamespace(TINY="tiny")
        module.get_model_path = lambda name: Path("assets") / name
        return module  # type: ignore[no-any-return]

    def fail(self) -> None:
        if self.error:
            raise self.error


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> FakePackage:
    package = FakePackage()
    monkeypatch.setitem(sys.modules, "moonshine_voice", package.module())
    return package


@pytest.fixture
def ear(package: FakePackage) -> MoonshineRecogniser:
    return MoonshineRecogniser(TINY)


def hear(ear: MoonshineRecogniser, audio: Any) -> Any:
    return ear.transcribe(audio, current="en", candidates=["en"], beam_size=5)


def request(language: str) -> Request:
    return Request(np.zeros(1600, np.float32), 0.1, language, (language,))


def test_models_of_the_store_and_of_packages_can_be_chosen() -> None:
    assert {"whisper-base", "whisper-tiny.en", TINY} <= set(available())
    assert family_of(TINY).packaged == (TINY,)
    assert not family_of("whisper-base").packaged


@pytest.mark.parametrize("name", ["whisper-enormous", "moonshine", "kokoro-82m-q8", ""])
def test_a_model_that_does_not_exist_is_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(EngineError, match=f"STT_MODEL={name} .*{TINY}, whisper-base") as caught:
        family_of(name)
    assert caught.value.code == "unknown_model"


def test_every_recogniser_has_a_family() -> None:
    assert all(family_of(name).load for name in available())


def test_moonshine_is_loaded_and_warm(package: FakePackage) -> None:
    loaded = family_of(TINY).load(ModelContext(TINY, None, CPU, 2, "auto"))
    assert loaded.name == TINY
    assert len(package.loaded) == len(package.heard) == 1
    # The utterance has been cut: another voice activity detection would drop what is quiet.
    assert package.loaded[0]["vad_threshold"] == "0.0"


def test_moonshine_hears_the_whole_utterance_in_all_its_lines(
    ear: MoonshineRecogniser, package: FakePackage
) -> None:
    package.lines = [" Is the garage", "door open? "]
    heard = hear(ear, np.full(1600, 0.25, np.float32))
    assert (heard.text, heard.language) == ("Is the garage door open?", "en")
    assert package.heard[-1] == ([0.25] * 1600, 16_000)


def test_moonshine_that_hears_nothing_says_nothing(
    ear: MoonshineRecogniser, package: FakePackage
) -> None:
    package.lines = []
    assert hear(ear, np.zeros(1600, np.float32)).text == ""


def test_moonshine_is_asked_one_utterance_at_a_time(ear: MoonshineRecogniser) -> None:
    model: SpeechModel = ear
    assert not isinstance(model, BatchingModel)


def test_a_failure_of_moonshine_is_an_error_of_the_engine(
    ear: MoonshineRecogniser, package: FakePackage
) -> None:
    package.error = MoonshineError("invalid handle")
    with pytest.raises(EngineError, match="invalid handle") as caught:
        hear(ear, np.zeros(1600, np.float32))
    assert caught.value.retryable
    package.error = None
    ear.reload()
    assert hear(ear, np.zeros(1600, np.float32)).text == "You"


def test_a_damaged_package_says_what_to_do(package: FakePackage) -> None:
    package.error = MoonshineError("Failed to load transcriber")
    with pytest.raises(EngineError, match="install moonshine-voice again"):
        MoonshineRecogniser(TINY)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moonshine_voice", None)
    with pytest.raises(EngineError, match=r"livekit-plugins-local\[moonshine\]") as caught:
        MoonshineRecogniser(TINY)
    assert caught.value.code == "missing_package"


def test_a_language_that_the_model_does_not_know_is_refused(ear: MoonshineRecogniser) -> None:
    require_languages(ear, ["en"])
    with pytest.raises(EngineError) as caught:
        require_languages(ear, ["en", "fr"])
    assert caught.value.code == "unknown_language"
    assert f"STT_MODEL={TINY} does not know the language fr; it knows en." in caught.value.message
    assert "LANGUAGES" in caught.value.message
    assert "whisper-base" in caught.value.message
    assert known_languages(ear, ["fr", "en"]) == ["en"]


async def test_a_call_in_another_language_is_refused_and_the_next_is_heard(
    ear: MoonshineRecogniser,
) -> None:
    scheduler = Scheduler(TINY)
    with ThreadPoolExecutor(1) as threads:
        recogniser = Recogniser(ear, scheduler, 5, threads)

        async def emit(_: dict[str, Any]) -> None: ...

        with pytest.raises(EngineError, match="does not know the language fr"):
            SttStream(recogniser, SttStart(["en", "fr"], None), emit)
        with pytest.raises(EngineError, match="does not know the language fr"):
            recogniser.submit(Priority.FINAL, request("fr"))
        SttStream(recogniser, SttStart(["fr", "en"], "en"), emit)
        heard = await recogniser.submit(Priority.FINAL, request("en")).result
        assert heard.text == "You"
        await scheduler.aclose()


async def test_an_engine_takes_the_model_of_its_settings(
    package: FakePackage, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as threads:
        config = EngineConfig("unix:unused", tmp_path, "cpu", TINY, languages=("en",), voices={})
        speech = Speech(config, threads)
        await speech.load()
        assert speech.readiness[STT].state == "ready"
        assert speech.recogniser().model.name == TINY
        await speech.aclose()


@pytest.mark.parametrize(
    ("model", "languages", "reason"),
    [
        (TINY, ("en", "fr"), "does not know the language fr"),
        ("whisper-enormous", ("en",), "STT_MODEL=whisper-enormous is not a recogniser"),
    ],
)
async def test_an_engine_that_cannot_hear_its_callers_says_so_at_its_start(
    package: FakePackage, tmp_path: Path, model: str, languages: tuple[str, ...], reason: str
) -> None:
    with ThreadPoolExecutor(1) as threads:
        config = EngineConfig("unix:unused", tmp_path, "cpu", model, languages=languages, voices={})
        speech = Speech(config, threads)
        await speech.load()
        assert speech.readiness[STT].state == "failed"
        assert reason in speech.readiness[STT].message
        with pytest.raises(EngineError, match="STT_MODEL"):
            speech.recogniser()
        await speech.aclose()
