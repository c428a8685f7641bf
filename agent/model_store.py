"""The model store that the settings name."""

from livekit.plugins.local.models import ModelStore

from agent.settings import Settings


def model_store(settings: Settings) -> ModelStore:
    """Return the store that ``settings`` name."""
    return ModelStore(settings.cache_dir / "models", sources=settings.model_sources)
