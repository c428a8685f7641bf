"""The voice engines whose packages need torch, with modules that stand in for them."""

import importlib.metadata
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples, capabilities
from livekit.plugins.local.engine.tts.chatterbox import ChatterboxEngine
from livekit.plugins.local.engine.tts.cloned import SAMPLE, ClonedVoice, voices_folder, write_record
from livekit.plugins.local.engine.tts.pocket import PocketEngine
from livekit.plugins.local.errors import EngineError

pytestmark = pytest.mark.unit

CHATTERBOX_FILES = (
    "ve.pt t3_mtl23ls_v2.safetensors s3gen.pt grapheme_mtl_merged_expanded_v1.json conds.pt"
).split()


class Tensor:
    """As much of a tensor as the engines touch."""

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples

    def squeeze(self, axis: int) -> "Tensor":
        return Tensor(self._samples.squeeze(axis))

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> "Tensor":
        return self

    def numpy(self) -> np.ndarray:
        return self._samples


class PocketModel:
    """Has the signatures of `pocket_tts.TTSModel` 4.0.1."""

    asked: list[Any] = []  # noqa: RUF012 - emptied by the fixture
    stopped = threading.Event()

    @classmethod
    def load_model(cls, language: str | None = None) -> "PocketModel":
        cls.asked.append(language)
        if language == "german":
            raise OSError("offline")
        return cls()

    def get_state_for_audio_prompt(self, audio: Path | str, truncate: bool = False) -> Any:
        if isinstance(audio, Path) and audio.read_bytes() == b"gated":
            raise ValueError("We could not download the weights for the model with voice cloning")
        return (audio, truncate)

    def generate_audio_stream(
        self, state: Any, text: str, stop: threading.Event | None = None
    ) -> Iterator[Tensor]:
        self.asked.append((state, text))
        for _ in text.split():
            if stop and stop.is_set():
                self.stopped.set()
                return
            yield Tensor(np.full(1920, 0.5, np.float32))


class ChatterboxModel:
    """Has the signatures of `chatterbox.mtl_tts.ChatterboxMultilingualTTS` 0.1.7."""

    sr = 24_000

    def __init__(self) -> None:
        self.conds = "built in"
        self.asked: list[Any] = []

    @classmethod
    def from_local(cls, folder: Path, device: str) -> "ChatterboxModel":
        assert device == "cpu"
        return cls()

    @classmethod
    def get_supported_languages(cls) -> dict[str, str]:
        return {"en": "English", "fr": "French"}

    def prepare_conditionals(self, path: str, exaggeration: float = 0.5) -> None:
        self.asked.append(path)
        self.conds = f"of {Path(path).parent.name}"

    def generate(self, text: str, language_id: str) -> Tensor:
        self.asked.append((self.conds, text, language_id))
        return Tensor(np.full((1, 2400), 0.5, np.float32))


@pytest.fixture(autouse=True)
def _packages(monkeypatch: pytest.MonkeyPatch) -> None:
    PocketModel.asked.clear()
    PocketModel.stopped.clear()
    pocket, parent, child, torch = map(
        ModuleType, ("pocket_tts", "chatterbox", "chatterbox.mtl_tts", "torch")
    )
    vars(pocket)["TTSModel"] = PocketModel
    vars(child)["ChatterboxMultilingualTTS"] = ChatterboxModel
    vars(torch)["cuda"] = SimpleNamespace(is_available=lambda: False)
    for module in (pocket, parent, child, torch):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"{name} 1")


def context(folder: Path, **configured: str) -> EngineContext:
    return EngineContext(lambda _: folder, threads=1, configured=configured, data_dir=folder)


def clone(folder: Path, name: str, engine: str, sample: bytes = b"wav", consent: str = "I") -> Path:
    home = voices_folder(folder) / name
    home.mkdir(parents=True)
    (home / SAMPLE).write_bytes(sample)
    write_record(home, ClonedVoice(name, engine, "hash", "2026-01-01T00:00:00Z", consent, 5.0))
    return home / SAMPLE


def say(
    engine: PocketEngine | ChatterboxEngine, voice: str, cancel: Cancellation | None = None
) -> Iterator[Samples]:
    return engine.synthesize(
        "One two three.", voice=voice, language="fr", speed=1.0, cancel=cancel or Cancellation()
    )


def test_pocket_loads_a_model_per_language_and_streams(tmp_path: Path) -> None:
    sample = clone(tmp_path, "jane", "pocket")
    clone(tmp_path, "other", "chatterbox")
    clone(tmp_path, "silent", "pocket", consent="")
    engine = PocketEngine(context(tmp_path, en="pocket/alba", fr="pocket/estelle", de="espeak/de"))
    engine.load()
    assert PocketModel.asked == ["english", "french"]
    can = capabilities(engine)
    assert can.voices["alba"] == can.voices["jane"] == {"en", "fr"}
    assert not {"other", "silent"} & set(can.voices)
    assert (can.streaming, can.cloning, engine.version) == (True, True, "pocket-tts 1")
    assert [len(chunk) for chunk in say(engine, "estelle")] == [1920] * 3
    assert len(list(say(engine, "jane"))) == 3
    assert PocketModel.asked[2:] == [
        (("estelle", False), "One two three."), ((sample, True), "One two three."),
    ]  # fmt: skip


def test_pocket_stops_when_nobody_listens(tmp_path: Path) -> None:
    engine = PocketEngine(context(tmp_path, fr="pocket/estelle"))
    engine.load()
    cancel = Cancellation()
    audio = say(engine, "estelle", cancel)
    next(audio)
    cancel.cancel()
    assert list(audio) == []
    assert PocketModel.stopped.is_set()


@pytest.mark.parametrize(
    ("configured", "words"),
    [
        ({"de": "pocket/juergen"}, "could not load its model for 'de'"),
        ({"ja": "pocket/alba"}, "does not speak 'ja'; it speaks en, fr"),
        ({"en": "pocket/gated"}, "the weights that clone"),
    ],
)
def test_what_pocket_cannot_load_is_one_sentence(
    tmp_path: Path, configured: dict[str, str], words: str
) -> None:
    clone(tmp_path, "gated", "pocket", b"gated")
    with pytest.raises(EngineError, match=words):
        PocketEngine(context(tmp_path, **configured)).load()


def test_chatterbox_speaks_with_its_own_voice_and_with_cloned_ones(tmp_path: Path) -> None:
    sample = clone(tmp_path, "jane", "chatterbox")
    (tmp_path / "chatterbox").mkdir()
    for name in CHATTERBOX_FILES:
        (tmp_path / "chatterbox" / name).touch()
    engine = ChatterboxEngine(context(tmp_path, fr="chatterbox/default"))
    engine.load()
    can = capabilities(engine)
    assert can.voices == {"default": {"en", "fr"}, "jane": {"en", "fr"}}
    assert (can.streaming, can.cloning) == (False, True)
    for voice in ("default", "jane", "jane", "default"):
        assert [len(chunk) for chunk in say(engine, voice)] == [2400]
    text = "One two three."
    assert engine._model.asked == [
        ("built in", text, "fr"), str(sample), ("of jane", text, "fr"), ("of jane", text, "fr"),
        ("built in", text, "fr"),
    ]  # fmt: skip
    cancel = Cancellation()
    cancel.cancel()
    assert list(say(engine, "default", cancel)) == []


def test_missing_weights_of_chatterbox_are_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"ve\.pt is missing; download the files of Resemble"):
        ChatterboxEngine(context(tmp_path)).load()


@pytest.mark.parametrize(
    ("engine", "module"), [(PocketEngine, "pocket_tts"), (ChatterboxEngine, "chatterbox.mtl_tts")]
)
def test_a_missing_package_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: type[Any], module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EngineError, match="needs the package") as caught:
        engine(context(tmp_path)).load()
    assert caught.value.code == "missing_package"
