"""The settings as one object: all groups, and what must fit together."""

from typing import Self

from pydantic import model_validator

from agent.paths import default_engine_url

from .conversation import Conversation
from .engine import Engine
from .groups import Group
from .hearing import Hearing
from .kyutai import Kyutai
from .language_model import LanguageModel
from .livekit import LiveKit
from .local_network import LocalNetwork
from .models import Models
from .processes import Processes
from .receipts import Receipts


class Settings(
    LiveKit,
    Conversation,
    Engine,
    Hearing,
    Kyutai,
    LanguageModel,
    Receipts,
    Models,
    Processes,
    LocalNetwork,
):
    """The settings; each is the environment variable of the same name in capitals.

    Build it with `agent.settings.load`, which also reads ``.env`` and turns what is wrong into one
    sentence.
    """

    @model_validator(mode="after")
    def _check_choices(self) -> Self:
        needed = {
            "kyutai": (self.kyutai_stt_address, "KYUTAI_URL"),
            "deepgram": (self.deepgram_api_key, "DEEPGRAM_API_KEY"),
            "openai": (self.stt_base_url, "STT_BASE_URL"),
        }
        if self.tts == "kyutai" and not self.kyutai_url:
            raise ValueError("TTS is kyutai, so KYUTAI_URL is needed")
        chosen = [("STT", self.stt), *(("STT_FALLBACK", name) for name in self.stt_fallback)]
        for setting, name in chosen:
            value, missing = needed.get(name, (True, ""))
            if not value:
                raise ValueError(f"{setting} is {name}, so {missing} is needed")
        return self

    @property
    def engine_address(self) -> str:
        """Address of the engine, configured or not."""
        return self.engine_url or default_engine_url(self.cache_dir)


# The groups by their titles in the documentation, in its order.
GROUPS: dict[str, type[Group]] = {
    "LiveKit": LiveKit,
    "Agent": Conversation,
    "Speech engine": Engine,
    "Hearing": Hearing,
    "Kyutai": Kyutai,
    "Language model": LanguageModel,
    "Receipts": Receipts,
    "Models": Models,
    "Processes": Processes,
    "Local network": LocalNetwork,
}


def env_name(field: str) -> str:
    """Return the environment variable that sets ``field``."""
    alias = Settings.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else field.upper()
