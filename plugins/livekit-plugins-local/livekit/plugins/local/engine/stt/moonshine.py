"""Moonshine: a small English recogniser for the CPU, in process (MIT, weights included).

Its encoder reads the audio as it is, without padding, so that short utterances cost little:
Jeffries et al. 2024, https://arxiv.org/abs/2410.15608. The package `moonshine-voice` brings along
runtime and weights of the smallest model; later versions of it download them, and are not used.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit.plugins.local.engine.stt.base import Samples, Transcription
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.packages import MOONSHINE
from livekit.plugins.local.protocol import STT_SAMPLE_RATE

if TYPE_CHECKING:
    from livekit.plugins.local.engine.stt.registry import ModelContext

TINY = "moonshine-tiny-en"
_FOLDER = "tiny-en"
_OPTIONS = {
    # The utterance has been cut already: its own voice activity detection must not cut it again.
    "vad_threshold": "0.0",
    "return_audio_data": "false",
    "identify_speakers": "false",
}


class MoonshineRecogniser:
    """The model in the package `moonshine-voice`."""

    languages = frozenset({"en"})

    def __init__(self, name: str) -> None:
        """Load the model and run it once.

        Raises:
            EngineError: The package is missing or damaged.
        """
        self.name = name
        self.reload()

    def reload(self) -> None:
        """Load the model anew, after it hung.

        Raises:
            EngineError: The package is missing or damaged.
        """
        try:
            # Optional, hence without types.
            self._package: Any = import_module("moonshine_voice")
        except ImportError:
            raise MOONSHINE.error() from None
        except OSError as error:
            raise self._damaged(error) from None
        package = self._package
        try:
            self._transcriber = package.Transcriber(
                package.get_model_path(_FOLDER), package.ModelArch.TINY, options=_OPTIONS
            )
        except (package.MoonshineError, OSError) as error:
            raise self._damaged(error) from None
        self.transcribe(
            np.zeros(STT_SAMPLE_RATE, np.float32), current="en", candidates=["en"], beam_size=1
        )

    def transcribe(
        self, audio: Samples, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        """Recognise one utterance; see `SpeechModel.transcribe`. The search is always greedy."""
        try:
            # The package takes the samples one by one, which is slow from an array.
            heard = self._transcriber.transcribe_without_streaming(audio.tolist(), STT_SAMPLE_RATE)
        except self._package.MoonshineError as error:
            raise EngineError(
                "failed", f"The model {self.name} failed ({error}).", retryable=True
            ) from None
        return Transcription(" ".join(line.text.strip() for line in heard.lines).strip(), "en")

    def _damaged(self, error: Exception) -> EngineError:
        return EngineError(
            "failed",
            f"The model {self.name} cannot be loaded ({error}); install moonshine-voice again.",
        )


def load(context: "ModelContext") -> MoonshineRecogniser:
    """Load the model that a context names; it has no files in the store, and no code for a GPU."""
    return MoonshineRecogniser(context.name)
