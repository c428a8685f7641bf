"""Local speech for LiveKit Agents: one shared engine process, thin STT and TTS plugins.

The plugins hold no model. They stream audio and text to an engine (``python -m
livekit.plugins.local.engine``) that serves all jobs of a machine over a Unix socket or TCP.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from livekit.plugins.local.version import __version__

if TYPE_CHECKING:
    from livekit.plugins.local.espeak_fallback import EspeakTTS
    from livekit.plugins.local.stt import STT, SpeechStream
    from livekit.plugins.local.tts import TTS, SynthesizeStream

__all__ = ["STT", "TTS", "EspeakTTS", "SpeechStream", "SynthesizeStream", "__version__"]

_HOMES = {
    "EspeakTTS": "espeak_fallback",
    "STT": "stt",
    "SpeechStream": "stt",
    "SynthesizeStream": "tts",
    "TTS": "tts",
}


def __getattr__(name: str) -> object:
    # The engine and the model store live in this package too, and need not wait the seconds that
    # importing the framework takes.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
