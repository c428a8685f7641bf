"""What an engine process needs to know."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from livekit.plugins.local.cores import available_cores
from livekit.plugins.local.engine.tts.base import SpeechServer
from livekit.plugins.local.models.store import SOURCES

AUTO = "auto"
EncoderContext = Literal["auto", "full"]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Configuration of one engine process.

    Attributes:
        address: Where to listen: ``unix:PATH`` or ``http://HOST:PORT``.
        models_dir: Root of the model store.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        stt_model: The recogniser, as `ModelStore` names models.
        stt_compute_type: See `choose_device`.
        model_sources: See `ModelStore`.
        languages: Two-letter codes that the recogniser must know; each stream names its own.
        stt_beam_size: Beam width of final transcripts; interims are greedy.
        encoder_context: ``auto`` lets the recogniser encode little more than the utterance where
            that is faster, ``full`` always 30 s.
        voices: Voice (``engine/name``) per two-letter language.
        threads: Threads per inference.
        speech_server: Server of the voice engine ``openai``.
        data_dir: What the user brought along: voices of Piper, cloned voices; None for nothing.
        tts_cache_mb: Megabytes of speech that are kept in memory to be said again.
        phrases: What is said often, per two-letter language: it is spoken before the engine is
            ready. Nothing about anybody may be among it.
        phrase_speed: Rate of speech of those.
        phrases_dir: Where they are kept for the next start; None keeps them in memory only.
    """

    address: str
    models_dir: Path
    device: str = "auto"
    stt_model: str = "whisper-base"
    stt_compute_type: str = AUTO
    model_sources: tuple[str, ...] = SOURCES
    languages: tuple[str, ...] = ()
    stt_beam_size: int = 2
    encoder_context: EncoderContext = "auto"
    voices: dict[str, str] = field(
        default_factory=lambda: {"en": "hibari/heart", "fr": "kokoro/ff_siwis"}
    )
    # More than four threads per inference gain little; calls overlap instead.
    threads: int = field(default_factory=lambda: min(4, available_cores()))
    tts_cache_mb: int = 64
    phrases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    phrase_speed: float = 1.0
    phrases_dir: Path | None = None
    speech_server: SpeechServer = field(default_factory=SpeechServer)
    data_dir: Path | None = None
