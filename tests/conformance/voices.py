"""Our plugin with each of the product's voices behind it, and Whisper to hear what they say.

The rules are those of the plugin; what a voice can spoil of them is its words, their order and
number, silence where there is nothing to say, how soon it stops, and that it fails cleanly. They
are real models that take real time, so they are no part of the ordinary table: see
``make conformance-voices``.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from livekit.plugins import local

from agent.bench.tts.listener import find_listener
from agent.settings import load
from tests.conformance.engine_server import EngineServer, engine_server
from tests.conformance.engine_server.real import DATA_DIR, SPEECH_SERVER
from tests.conformance.kit import Backend, PluginUnderTest
from tests.conformance.kit.ears import WhisperEar

PIPER_VOICES = "PIPER_VOICES"
"""Environment variable: a directory with a folder ``piper`` that holds English voices."""

_BEHIND = "hibari/heart"
_ELSEWHERE = f"openai/{_BEHIND}"
_LACKS = {
    "tts_duration": "only of tones it is known beforehand how long they take",
    "tts_long_reply": "of 1600 words Whisper mishears some; `tts_long_sentence` has 320",
}

_HARD_TO_HEAR = {"tts_long_sentence": "of its 320 words Whisper hears two twice, in halves"}


def spoken_by(voice: str, speed: float, address: str) -> local.TTS:
    """Our plugin with one of the engine's voices."""
    return local.TTS(engine=address, voice=voice, speed=speed)


def speak_slowly(plugin: local.TTS) -> None:
    """Let it speak as slowly as it can."""
    plugin.update_options(speed=0.5)


@contextmanager
def engine_with_another(voice: str) -> Iterator[EngineServer]:
    """Start an engine whose voice comes from another engine, by OpenAI's API."""
    with (
        engine_server(_BEHIND) as behind,
        engine_server(voice, **{SPEECH_SERVER: f"{behind.address}/v1"}) as engine,
    ):
        yield engine


def _listener(name: str | None) -> Path:
    return find_listener(load(), name)[1]


_ear = WhisperEar(partial(_listener, "whisper-base"))
_better_ear = WhisperEar(partial(_listener, None))


def _real(
    voice: str,
    backend: Callable[[], AbstractContextManager[Backend]] | None = None,
    *,
    speed: float = 1.0,
    ear: WhisperEar = _ear,
    lacks: Mapping[str, str] = _LACKS,
) -> PluginUnderTest:
    return PluginUnderTest(
        f"local/{voice.partition('/')[0]}",
        "tts",
        partial(spoken_by, voice, speed),
        backend or partial(engine_server, voice),
        change=speak_slowly,
        lacks=lacks,
        ear=ear,
    )


VOICES: tuple[PluginUnderTest, ...] = (
    _real("hibari/heart"),
    _real("kokoro/af_heart"),
    # At its own rate, or for the smaller Whisper, it is hard to understand.
    _real("espeak/en", speed=0.75, ear=_better_ear, lacks=_LACKS | _HARD_TO_HEAR),
    _real(_ELSEWHERE, partial(engine_with_another, _ELSEWHERE)),
)
"""Those that can run anywhere."""

if piper := os.environ.get(PIPER_VOICES):
    (_model, *_) = sorted(Path(piper).glob("piper/*.onnx"))
    VOICES += (
        _real(
            f"piper/{_model.stem}",
            partial(engine_server, f"piper/{_model.stem}", **{DATA_DIR: piper}),
            ear=_better_ear,
            lacks=_LACKS | _HARD_TO_HEAR,
        ),
    )
