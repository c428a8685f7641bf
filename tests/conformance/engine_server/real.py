"""The product's own voices, for the kit."""

import os
from pathlib import Path

from livekit.plugins.local.engine.tts.base import EngineContext, SpeechServer
from livekit.plugins.local.engine.tts.registry import build

from agent.model_store import model_store
from agent.settings import load
from tests.conformance.engine_server.models import RealVoice, State

SPEECH_SERVER = "SPEECH_SERVER"
"""Environment variable: base URL of the server of the engine ``openai``, ending in ``/v1``."""

DATA_DIR = "DATA_DIR"
"""Environment variable: where the voices are that users bring along."""


def real_voice(voice: str, state: State) -> RealVoice:
    """Return the engine of a voice (``engine/name``), which obeys the kit.

    Its models must have been fetched.
    """
    data = os.environ.get(DATA_DIR)
    context = EngineContext(
        model_directory,
        threads=len(os.sched_getaffinity(0)),
        configured={"en": voice},
        data_dir=Path(data) if data else None,
        server=SpeechServer(os.environ.get(SPEECH_SERVER, "")),
    )
    (engine,) = build([voice.partition("/")[0]], context)
    return RealVoice(engine, state)


def model_directory(model: str) -> Path:
    """Return the directory of a model that was fetched.

    Raises:
        FileNotFoundError: It was not.
    """
    if found := model_store(load()).locate(model):
        return found
    raise FileNotFoundError(f"The model {model} is missing: run `eloquence models pull {model}`.")
