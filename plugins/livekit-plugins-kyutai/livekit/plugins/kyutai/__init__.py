"""Kyutai's streaming speech for LiveKit Agents, by a moshi-server."""

from importlib import import_module
from typing import TYPE_CHECKING

from livekit.plugins.kyutai.version import __version__

if TYPE_CHECKING:
    from livekit.plugins.kyutai.clone import clone_voice
    from livekit.plugins.kyutai.stt import STT, SpeechStream
    from livekit.plugins.kyutai.tts import TTS, ChunkedStream, SynthesizeStream
    from livekit.plugins.kyutai.voices import VoiceEmbedding, VoiceError

__all__ = [
    "STT",
    "TTS",
    "ChunkedStream",
    "SpeechStream",
    "SynthesizeStream",
    "VoiceEmbedding",
    "VoiceError",
    "__version__",
    "clone_voice",
]

_HOMES = {
    "ChunkedStream": "tts",
    "STT": "stt",
    "SpeechStream": "stt",
    "SynthesizeStream": "tts",
    "TTS": "tts",
    "VoiceEmbedding": "voices",
    "VoiceError": "voices",
    "clone_voice": "clone",
}


def __getattr__(name: str) -> object:
    # Importing the framework takes seconds, which whoever asks for the version need not wait.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
