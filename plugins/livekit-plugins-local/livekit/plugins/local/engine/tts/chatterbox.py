"""Chatterbox Multilingual: a neural voice in 23 languages that clones from a sample.

The package `chatterbox-tts` (MIT) needs torch and fixes the versions of much else; it is an
optional extra. Its weights are read from the data directory and never fetched. What it makes
carries an inaudible watermark.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from livekit.plugins.local.engine.tts.audio import trim_silence
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples
from livekit.plugins.local.engine.tts.cloned import cloned_voices
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.packages import CHATTERBOX

_DEFAULT = "default"
_FILES = (
    "ve.pt",
    "t3_mtl23ls_v2.safetensors",
    "s3gen.pt",
    "grapheme_mtl_merged_expanded_v1.json",
    "conds.pt",
)


class ChatterboxEngine:
    """Speaks whole clauses, at its own rate of speech; it cannot be interrupted within one."""

    name = "chatterbox"
    sample_rate = 24_000
    version = ""
    cloning = True

    def __init__(self, context: EngineContext) -> None:
        self._data_dir = context.data_dir
        self._model: Any = None
        self._languages: frozenset[str] = frozenset()
        self._samples: dict[str, Path] = {}
        self._conditionals: dict[str, Any] = {}

    def voices(self) -> dict[str, frozenset[str]]:
        """Return the built-in voice and the cloned ones; each speaks every language."""
        return dict.fromkeys([_DEFAULT, *self._samples], self._languages)

    def load(self) -> None:
        """Load the weights, on the GPU if there is one."""
        folder = self._data_dir / self.name if self._data_dir else None
        try:
            from importlib.metadata import version

            import torch
            from chatterbox.mtl_tts import ChatterboxMultilingualTTS

            self.version = version("chatterbox-tts")
        except ImportError:
            raise CHATTERBOX.error() from None
        missing = [name for name in _FILES if not folder or not (folder / name).is_file()]
        if missing:
            raise EngineError(
                "failed",
                f"The weights of Chatterbox are not in {folder or 'the data directory'}: "
                f"{missing[0]} is missing; download the files of ResembleAI/chatterbox there.",
            )
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = ChatterboxMultilingualTTS.from_local(folder, device)
        self._languages = frozenset(ChatterboxMultilingualTTS.get_supported_languages())
        self._conditionals = {_DEFAULT: self._model.conds}
        self._samples = cloned_voices(self._data_dir, self.name)
        self.sample_rate = self._model.sr

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        """Speak one clause or sentence."""
        if cancel.cancelled:
            return
        model = self._model
        if voice not in self._conditionals:
            model.prepare_conditionals(str(self._samples[voice]))
            self._conditionals[voice] = model.conds
        model.conds = self._conditionals[voice]
        waveform = model.generate(text, language_id=language)
        if not cancel.cancelled:
            samples = np.asarray(waveform.squeeze(0).detach().cpu().numpy(), np.float32)
            yield trim_silence(samples, self.sample_rate)
