"""Optional packages and programs: which there must be, asked without importing any of them."""

import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from livekit.plugins.local.errors import EngineError, engine_error
from livekit.plugins.local.failures import Diagnosis, explain


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one part of the engine needs beyond this package.

    Attributes:
        what: Which part, as the subject of a sentence.
        package: What it needs, as the object.
        command: Installs it.
        modules: Modules that must be importable.
        program: A program that must be on the search path; empty for none.
    """

    what: str
    package: str
    command: str
    modules: tuple[str, ...] = ()
    program: str = ""

    @property
    def met(self) -> bool:
        """Whether all of it is there; nothing is imported or run."""
        if self.program and shutil.which(self.program) is None:
            return False
        return all(_importable(module) for module in self.modules)

    @property
    def missing(self) -> Diagnosis:
        """What is said when it is not met."""
        return explain(
            "missing_package", what=self.what, package=self.package, command=self.command
        )

    def require(self) -> None:
        """Check that it is met.

        Raises:
            EngineError: It is not.
        """
        if not self.met:
            raise self.error()

    def error(self) -> EngineError:
        """Return the error for what is missing."""
        return engine_error(
            "missing_package", what=self.what, package=self.package, command=self.command
        )


def _importable(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


def _extra(name: str) -> str:
    return f"pip install 'livekit-plugins-local[{name}]'"


def espeak(what: str) -> Requirement:
    """Return the need of the program `espeak-ng`; it is under the GPL, hence always a program.

    Args:
        what: What needs it.
    """
    command = "apt-get install espeak-ng` or `brew install espeak-ng"
    return Requirement(what, "the program espeak-ng", command, program="espeak-ng")


ENGINE = tuple(
    Requirement("The speech engine", f"the package {package}", _extra("engine"), (module,))
    for package, module in {
        "ctranslate2": "ctranslate2",
        "faster-whisper": "faster_whisper",
        "av": "av",
        "huggingface-hub": "huggingface_hub",
        "onnx": "onnx",
        "onnxruntime": "onnxruntime",
        "prometheus-client": "prometheus_client",
        "pydantic": "pydantic",
        "threadpoolctl": "threadpoolctl",
    }.items()
)
MOONSHINE = Requirement(
    "STT_MODEL=moonshine-tiny-en",
    "the package moonshine-voice",
    _extra("moonshine"),
    ("moonshine_voice",),
)
ESPEAK = espeak("The voice of last resort")
KOKORO = espeak("A voice of Kokoro")
HIBARI = Requirement(
    "The voice hibari/heart", "the package hibari-tts", _extra("engine"), ("hibari",)
)
PIPER = Requirement(
    "A voice of Piper",
    "the program piper (it is under the GPL)",
    "pipx install piper-tts",
    program="piper",
)
POCKET = Requirement(
    "The voice engine pocket",
    "the package pocket-tts",
    _extra("pocket"),
    ("pocket_tts", "torch"),
)
CHATTERBOX = Requirement(
    "The voice engine chatterbox",
    "the package chatterbox-tts",
    "pip install chatterbox-tts",
    ("chatterbox", "torch"),
)

VOICES: Mapping[str, Requirement] = {
    "hibari": HIBARI,
    "kokoro": KOKORO,
    "piper": PIPER,
    "pocket": POCKET,
    "chatterbox": CHATTERBOX,
    "espeak": ESPEAK,
}


def missing_for_engine(stt_model: str) -> list[Diagnosis]:
    """Return what is not installed of what an engine cannot do without.

    It takes milliseconds: nothing is imported, so that it can be asked before anything is.

    Args:
        stt_model: The recogniser.
    """
    return [each.missing for each in engine_requirements(stt_model) if not each.met]


def engine_requirements(stt_model: str) -> tuple[Requirement, ...]:
    """Return what an engine cannot do without.

    Args:
        stt_model: The recogniser.
    """
    return (*ENGINE, MOONSHINE) if stt_model.startswith("moonshine-") else ENGINE


def missing_for_voices(voices: Iterable[str]) -> list[Diagnosis]:
    """Return what is not installed of what voices need; other voices would stand in for them.

    Args:
        voices: The configured voices, as ``engine/name``.
    """
    engines = dict.fromkeys(voice.partition("/")[0] for voice in voices)
    wanted = [VOICES[engine] for engine in engines if engine in VOICES]
    return [requirement.missing for requirement in wanted if not requirement.met]
