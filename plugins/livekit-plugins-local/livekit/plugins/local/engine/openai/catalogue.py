"""The models and voices that requests may name: OpenAI's names, and our own."""

import re
from contextlib import suppress
from typing import Any

from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.openai.errors import ApiError
from livekit.plugins.local.engine.stt.stream import Recogniser
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.engine.tts.voices import Choice
from livekit.plugins.local.errors import EngineError

STT_ALIASES = ("whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
TTS_ALIASES = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
# OpenAI's voices, and those of Kokoro that come closest: the same name where there is one.
_KOKORO = "kokoro"
VOICE_ALIASES = {
    "alloy": "af_alloy",
    "ash": "am_michael",
    "ballad": "bm_george",
    "cedar": "am_puck",
    "coral": "af_bella",
    "echo": "am_echo",
    "fable": "bm_fable",
    "marin": "af_heart",
    "nova": "af_nova",
    "onyx": "am_onyx",
    "sage": "af_sarah",
    "shimmer": "af_sky",
    "verse": "am_fenrir",
}

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def recogniser_for(speech: Speech, model: str) -> Recogniser:
    """Return the ear behind a model's name.

    Raises:
        ApiError: There is no such model.
        EngineError: It is not loaded yet, or could not be.
    """
    recogniser = speech.recogniser()
    if _undated(model) not in (*STT_ALIASES, recogniser.model.name):
        raise _unknown(model, [recogniser.model.name, *STT_ALIASES])
    return recogniser


def choose_voice(
    synthesizer: Synthesizer, model: str, voice: str, language: str | None = None
) -> Choice:
    """Choose who speaks, and in which language.

    An OpenAI voice speaks the first configured language unless one is named: English with one of
    Kokoro's voices, if that engine is in use, and every other language with its own voice. The
    answer depends on the configuration alone, so that a name always sounds the same.

    Args:
        synthesizer: The voices.
        model: An OpenAI model, or the name of a voice engine, which then must be the voice's.
        voice: An OpenAI voice, ``engine/name``, or with an engine as the model ``name``.
        language: Language of the text; None for the voice's own.

    Raises:
        ApiError: There is no such model, or the voice is not one of its.
        EngineError: No such voice, or it does not speak the language.
    """
    engines, book = synthesizer.states, synthesizer.voices
    if _undated(model) not in TTS_ALIASES and model not in engines:
        raise _unknown(model, [*engines, *TTS_ALIASES])
    name: str | None = voice
    first = next(iter(book.languages), "en")
    if voice in VOICE_ALIASES and not book.spoken_by(f"{model}/{voice}"):
        language = language or first
        english = language.partition("-")[0].lower() == "en" and _KOKORO in engines
        name = f"{_KOKORO}/{VOICE_ALIASES[voice]}" if english else None
    else:
        name = f"{model}/{voice}" if model in engines and "/" not in voice else voice
        spoken = book.spoken_by(name)
        language = language or (first if first in spoken else min(spoken, default=first))
    choice = book.resolve(name, language)
    if model in engines and choice.engine != model:
        raise ApiError(
            400,
            f"The voice {voice} is one of {choice.engine}, not of the model {model}; "
            f"name {choice.engine} or tts-1 as the model.",
            param="voice",
            code="unknown_voice",
        )
    return choice


def list_models(speech: Speech) -> list[dict[str, Any]]:
    """Return what can be used now, as OpenAI's ``model`` objects."""
    listed: list[dict[str, Any]] = []
    # While it is loading, or after it failed, it cannot be used; `/readyz` says which.
    with suppress(EngineError):
        listed += [_model(name) for name in (speech.recogniser().model.name, *STT_ALIASES)]
    states, book = speech.synthesizer.states, speech.synthesizer.voices
    ready = [name for name, state in states.items() if state.state == "ready"]
    for name in ready:
        voices = book.names(name)
        languages = {voice: sorted(book.spoken_by(voice)) for voice in voices}
        listed.append({**_model(name), "voices": voices, "languages": languages})
    if ready:
        listed += [{**_model(name), "voices": list(VOICE_ALIASES)} for name in TTS_ALIASES]
    return listed


def describe_model(speech: Speech, model: str) -> dict[str, Any]:
    """Return one ``model`` object.

    Raises:
        ApiError: There is no such model, or it cannot be used yet.
    """
    listed = list_models(speech)
    for entry in listed:
        if entry["id"] == _undated(model):
            return {**entry, "id": model}
    raise _unknown(model, [entry["id"] for entry in listed])


def _undated(model: str) -> str:
    """Return a model's name without the date of its snapshot."""
    return _DATE.sub("", model)


def _model(name: str) -> dict[str, Any]:
    # Nobody knows when a model "was created"; clients only need a number there.
    return {"id": name, "object": "model", "created": 0, "owned_by": "eloquence"}


def _unknown(model: str, known: list[str]) -> ApiError:
    return ApiError(
        404,
        f"There is no model {model!r} here; there are {', '.join(known) or 'none yet'}.",
        param="model",
        code="model_not_found",
    )
