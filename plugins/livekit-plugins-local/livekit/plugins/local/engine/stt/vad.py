"""Streaming voice activity detection with Silero VAD (MIT), as shipped inside faster-whisper.

Model and windowing: https://github.com/snakers4/silero-vad. The framework's own VAD model may be
used only inside a LiveKit agent, which the engine is not.

The model keeps a memory that drifts as a stream goes on: after half a minute it begins to miss
single words, after four minutes most of them. After each second of silence it is therefore begun
anew, with that second for a start; from nothing it would miss the next word as well. The same is
done where speech may begin after such a silence: whether it does then depends on that second alone,
and not on how long ago the memory was begun.
"""

from collections import deque
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
from faster_whisper.utils import get_assets_path
from livekit.plugins.local.engine.stt.base import Samples

WINDOW = 512
"""Samples per decision: 32 ms at 16 kHz."""
_CONTEXT = 64
_ENTER, _LEAVE = 0.5, 0.35
# Windows of silence after which the model's memory is made anew from just these.
_REFRESH = 31
# After so long a silence, what is at least so likely to be speech is judged with such a memory.
_SUSPECT = 0.1


@cache
def _session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    path = Path(get_assets_path()) / "silero_vad_v6.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class VoiceActivity:
    """Finds speech in one stream; keeps the model's state between calls."""

    def __init__(self) -> None:
        self._session = _session()
        self._recent: deque[Samples] = deque(maxlen=_REFRESH)
        self._pending = np.zeros(0, np.float32)
        self._speaking = False
        self._silent = 0
        self._h = self._c = np.zeros((1, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)

    def process(self, audio: Samples) -> list[bool]:
        """Judge the next audio.

        Args:
            audio: 16 kHz samples, any number; what does not fill a window waits for the next call.

        Returns:
            One decision per complete window, in order: is somebody speaking?
        """
        audio = np.concatenate([self._pending, audio]) if self._pending.size else audio
        whole = len(audio) - len(audio) % WINDOW
        self._pending = audio[whole:].copy()
        return [self._window(audio[at : at + WINDOW]) for at in range(0, whole, WINDOW)]

    def _window(self, samples: Samples) -> bool:
        probability = self._probability(samples)
        if self._silent >= _REFRESH and probability >= _SUSPECT:
            self._start_over()
            probability = self._probability(samples)
        # Hysteresis keeps a voice that fades within a word from flickering.
        self._speaking = probability >= (_LEAVE if self._speaking else _ENTER)
        self._recent.append(samples.copy())
        self._silent = 0 if self._speaking else self._silent + 1
        if self._silent and self._silent % _REFRESH == 0:
            self._start_over()
        return self._speaking

    def _probability(self, samples: Samples) -> float:
        frame = np.concatenate([self._context, samples])[np.newaxis]
        output, self._h, self._c = self._session.run(
            None, {"input": frame, "h": self._h, "c": self._c}
        )
        self._context = samples[-_CONTEXT:]
        return float(output.ravel()[0])

    def _start_over(self) -> None:
        self._h, self._c = np.zeros_like(self._h), np.zeros_like(self._c)
        self._context = np.zeros_like(self._context)
        for samples in self._recent:
            self._probability(samples)
