"""The recognisers there are: to add a family, write its file and a line in `FAMILIES`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from livekit.plugins.local.engine.config import EncoderContext
from livekit.plugins.local.engine.device import Device
from livekit.plugins.local.engine.stt import moonshine, whisper
from livekit.plugins.local.engine.stt.base import LimitedModel, SpeechModel
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.models import default_manifest
from livekit.plugins.local.models.own import is_own


@dataclass(frozen=True, slots=True)
class ModelContext:
    """What a recogniser is built from.

    Attributes:
        name: Model id, for metrics and messages.
        path: Directory of its files in the store; None for one that comes with a package.
        device: Where it should run; a family that has no code for a GPU runs on the CPU.
        threads: Threads per inference, on a CPU.
        encoder_context: See `EngineConfig`.
        batch: How many utterances may share a call.
    """

    name: str
    path: Path | None
    device: Device
    threads: int
    encoder_context: EncoderContext
    batch: int = 1


class LoadedModel(SpeechModel, Protocol):
    """A recogniser that can be loaded anew."""

    def reload(self) -> None:
        """Load the model again, after it hung or lost its device.

        Raises:
            EngineError: It cannot be loaded.
        """
        ...


class Family(NamedTuple):
    """How to get the recognisers of one kind.

    Attributes:
        load: Loads a model and runs it once; raises `EngineError`.
        packaged: Ids of the models that a package brings along; all others are in the manifest.
    """

    load: Callable[[ModelContext], LoadedModel]
    packaged: tuple[str, ...] = ()


# The first word of a model's id is its family's name.
FAMILIES: Mapping[str, Family] = {
    "whisper": Family(whisper.load),
    "moonshine": Family(moonshine.load, packaged=(moonshine.TINY,)),
}


def available() -> list[str]:
    """Return the ids of all recognisers."""
    fetched = [model.id for model in default_manifest() if model.kind == "stt"]
    return sorted([*fetched, *(name for family in FAMILIES.values() for name in family.packaged)])


def english_only(model_id: str) -> bool:
    """Whether a recogniser is made for English alone, as its name says."""
    return model_id.endswith((".en", "-en"))


def family_of(model_id: str) -> Family:
    """Return the family of a model.

    Raises:
        EngineError: There is no such model.
    """
    if is_own(model_id):
        return FAMILIES["whisper"]
    if model_id not in available():
        raise EngineError(
            "unknown_model",
            f"STT_MODEL={model_id} is not a recogniser; there are {', '.join(available())}.",
        )
    return FAMILIES[model_id.partition("-")[0]]


def known_languages(model: SpeechModel, languages: Iterable[str]) -> list[str]:
    """Return those languages that a model knows."""
    known = model.languages if isinstance(model, LimitedModel) else None
    return [code for code in languages if known is None or code in known]


def require_languages(model: SpeechModel, languages: Iterable[str]) -> None:
    """Check that a model knows languages.

    Raises:
        EngineError: It does not (``unknown_language``).
    """
    if not isinstance(model, LimitedModel):
        return
    unknown = [code for code in languages if code not in model.languages]
    if not unknown:
        return
    known = model.languages
    knows = f"it knows {', '.join(sorted(known))}" if len(known) < 10 else "no Whisper model does"
    others = ", ".join(name for name in available() if name != model.name)
    raise EngineError(
        "unknown_language",
        f"STT_MODEL={model.name} does not know the language {', '.join(unknown)}; {knows}. "
        f"Change LANGUAGES, or choose another model: {others}.",
    )
