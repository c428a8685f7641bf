"""The engines there are: to add one, write its file and a line in `ENGINES`."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from livekit.plugins.local.engine.tts import kokoro
from livekit.plugins.local.engine.tts.base import EngineContext, TTSEngine
from livekit.plugins.local.engine.tts.chatterbox import ChatterboxEngine
from livekit.plugins.local.engine.tts.espeak import EspeakEngine
from livekit.plugins.local.engine.tts.hibari import HibariEngine
from livekit.plugins.local.engine.tts.kokoro import KokoroEngine
from livekit.plugins.local.engine.tts.openai import OpenAIEngine
from livekit.plugins.local.engine.tts.piper import PiperEngine
from livekit.plugins.local.engine.tts.pocket import PocketEngine
from livekit.plugins.local.engine.tts.voices import LAST_RESORT
from livekit.plugins.local.errors import EngineError


class Entry(NamedTuple):
    """How to get an engine.

    Attributes:
        build: Makes it; cheap, it loads nothing.
        models: Ids of the models that must have been fetched before it loads.
    """

    build: Callable[[EngineContext], TTSEngine]
    models: tuple[str, ...] = ()


ENGINES: Mapping[str, Entry] = {
    "hibari": Entry(HibariEngine),
    "kokoro": Entry(KokoroEngine, (kokoro.MODEL, kokoro.VOICES)),
    "openai": Entry(OpenAIEngine),
    "piper": Entry(PiperEngine),
    "pocket": Entry(PocketEngine),
    "chatterbox": Entry(ChatterboxEngine),
    "espeak": Entry(EspeakEngine),
}


def engines_for(configured: Mapping[str, str]) -> list[str]:
    """Return the names of the engines that a choice of voices needs, the last resort at the end.

    Args:
        configured: Voice per language, such as ``{"en": "hibari/heart"}``.

    Raises:
        EngineError: A voice names an engine that does not exist.
    """
    names = [voice.partition("/")[0] for voice in configured.values()]
    for name in names:
        if name not in ENGINES:
            raise EngineError(
                "unknown_voice",
                f"There is no voice engine {name!r}; there are {', '.join(sorted(ENGINES))}.",
            )
    return list(dict.fromkeys([*names, LAST_RESORT]))


def models_for(engines: Iterable[str]) -> list[str]:
    """Return the ids of the models that these engines need."""
    return [model for name in engines for model in ENGINES[name].models]


def build(engines: Iterable[str], context: EngineContext) -> list[TTSEngine]:
    """Make these engines; nothing is loaded yet."""
    return [ENGINES[name].build(context) for name in engines]
