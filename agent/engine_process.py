"""``eloquence engine``: the speech engine with this project's settings."""

import asyncio

from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.server import run_engine

from agent import logs
from agent.settings import Settings


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        EngineError: The address cannot be listened on.
    """
    logs.setup(settings, "engine")
    asyncio.run(
        run_engine(
            EngineConfig(
                address=settings.engine_address,
                models_dir=settings.cache_dir / "models",
                device=settings.device,
                stt_model=settings.stt_model,
                stt_beam_size=settings.stt_beam_size,
                encoder_context=settings.stt_encoder_context,
                voices=settings.voices,
            )
        )
    )
