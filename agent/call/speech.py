"""What speaks: the speech engine, or Kyutai's model with the engine behind it."""

from importlib import import_module
from typing import Any

from livekit.agents import tts
from livekit.plugins import kyutai

from agent.settings import Settings


def preload(settings: Settings) -> None:
    """Import now what would otherwise be imported at the beginning of a call, and hold it up."""
    if "kyutai" in (settings.tts, *settings.ears):
        import_module("livekit.plugins.kyutai.stt")
        import_module("livekit.plugins.kyutai.tts")


def build_tts(settings: Settings, engine: tts.TTS[Any]) -> tts.TTS[Any]:
    """Return what speaks.

    Args:
        settings: The settings.
        engine: The speech engine's voice.
    """
    if settings.tts == "local":
        return engine
    first = kyutai.TTS(
        base_url=str(settings.kyutai_url),
        api_key=settings.kyutai_api_key.get_secret_value(),
        voice=settings.kyutai_voice,
    )
    # Without a retry: the sentence is due now, and the next one asks again.
    return tts.FallbackAdapter([first, engine], max_retry_per_tts=0)
