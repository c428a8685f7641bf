"""``eloquence engine``: the speech engine with this project's settings."""

from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.process import serve
from livekit.plugins.local.engine.tts.base import SpeechServer

from agent import logs
from agent.call.phrases import fixed_phrases
from agent.settings import Settings


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, and end the process.

    Raises:
        EngineError: The address cannot be listened on.
    """
    logs.setup(settings, "engine")
    serve(
        EngineConfig(
            address=settings.engine_address,
            models_dir=settings.cache_dir / "models",
            device=settings.device,
            stt_model=settings.stt_model,
            languages=settings.languages,
            stt_compute_type=settings.stt_compute_type,
            model_sources=settings.model_sources,
            stt_beam_size=settings.stt_beam_size,
            encoder_context=settings.stt_encoder_context,
            voices=settings.voices,
            speech_server=speech_server(settings),
            data_dir=settings.data_dir,
            tts_cache_mb=settings.tts_cache_mb,
            phrases=fixed_phrases(settings),
            phrase_speed=settings.tts_speed,
            phrases_dir=settings.cache_dir / "phrases",
        )
    )


def speech_server(settings: Settings) -> SpeechServer:
    """Return the server of the voice engine ``openai``, with an empty URL if there is none."""
    key = settings.tts_openai_api_key
    return SpeechServer(
        url=str(settings.tts_openai_url or ""),
        model=settings.tts_openai_model,
        key=key.get_secret_value() if key else "",
        sample_rate=settings.tts_openai_sample_rate,
    )
