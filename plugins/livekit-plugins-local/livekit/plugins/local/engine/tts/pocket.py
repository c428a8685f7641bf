"""Pocket TTS: a neural voice for a CPU, streaming, in six languages and with cloned voices.

The package `pocket-tts` (MIT, weights CC-BY-4.0) needs torch, and is an optional extra. It fetches
its weights from the hub, each file at a revision that the package fixes.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples
from livekit.plugins.local.engine.tts.cloned import cloned_voices
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.packages import POCKET

_MODELS = {
    "en": "english",
    "fr": "french",
    "de": "german",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
}
# The package's own voices; each speaks every language.
_VOICES = (
    "alba anna azelma bill_boerst caro_davy charles cosette daan eponine estelle eve fantine "
    "george giovanni jane javert jean juergen lola marius mary michael paul peter_yearsley rafael "
    "stuart_bell vera"
).split()


class PocketEngine:
    """Runs one Pocket TTS model per configured language; the rate of speech is always its own."""

    name = "pocket"
    sample_rate = 24_000
    version = ""
    streaming = True
    cloning = True

    def __init__(self, context: EngineContext) -> None:
        self._wanted = {
            language: voice.partition("/")[2]
            for language, voice in context.configured.items()
            if voice.partition("/")[0] == self.name
        }
        self._data_dir = context.data_dir
        self._models: dict[str, Any] = {}
        self._cloned: dict[str, Path] = {}
        self._states: dict[tuple[str, str], Any] = {}

    def voices(self) -> dict[str, frozenset[str]]:
        """Return the package's voices and the cloned ones, for the languages that were loaded."""
        return dict.fromkeys([*_VOICES, *self._cloned], frozenset(self._models))

    def load(self) -> None:
        """Load a model per language, and the voices that the configuration names."""
        try:
            from importlib.metadata import version

            from pocket_tts import TTSModel

            self.version = version("pocket-tts")
        except ImportError:
            raise POCKET.error() from None
        unknown = sorted(set(self._wanted) - set(_MODELS))
        if unknown:
            raise EngineError(
                "unknown_language",
                f"Pocket TTS does not speak {unknown[0]!r}; it speaks {', '.join(_MODELS)}.",
            )
        self._cloned = cloned_voices(self._data_dir, self.name)
        for language, voice in self._wanted.items():
            try:
                model = TTSModel.load_model(language=_MODELS[language])
            except (OSError, RuntimeError, ValueError) as error:
                raise EngineError(
                    "failed",
                    f"Pocket TTS could not load its model for {language!r} "
                    f"({type(error).__name__}); see whether this machine reaches the hub.",
                ) from error
            self._models[language] = model
            if voice in _VOICES or voice in self._cloned:
                self._state(voice, language)

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        """Speak one clause or sentence; cancelling ends it within a frame of 80 ms."""
        model, stop = self._models[language], threading.Event()
        state = self._state(voice, language)
        with cancel.calling(stop.set):
            for chunk in model.generate_audio_stream(state, text, stop=stop):
                if cancel.cancelled:
                    # The package's threads end by themselves; they have been told to.
                    return
                yield np.asarray(chunk.detach().cpu().numpy(), np.float32)

    def _state(self, voice: str, language: str) -> Any:  # noqa: ANN401 - the package's own
        """Return what the model keeps of a voice; made once."""
        key = (voice, language)
        if key not in self._states:
            model, sample = self._models[language], self._cloned.get(voice)
            try:
                self._states[key] = model.get_state_for_audio_prompt(
                    sample or voice, truncate=sample is not None
                )
            except (OSError, RuntimeError, ValueError) as error:
                hint = (
                    "the weights that clone are given out on the hub, at kyutai/pocket-tts, after "
                    "you accept their terms"
                    if sample
                    else "see whether this machine reaches the hub"
                )
                raise EngineError(
                    "failed", f"Pocket TTS could not load the voice {voice}; {hint}."
                ) from error
        return self._states[key]
