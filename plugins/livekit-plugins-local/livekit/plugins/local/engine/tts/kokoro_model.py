"""Runs the Kokoro-82M v1.0 network (Apache-2.0) with ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from livekit.plugins.local.engine.tts.audio import voiced
from livekit.plugins.local.engine.tts.base import Cancellation, Voiced
from livekit.plugins.local.engine.tts.onnx_graph import with_output
from livekit.plugins.local.errors import EngineError
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

SAMPLE_RATE = 24_000
MAX_TOKENS = 510
_STYLE_SIZE = 256

# The network's vocabulary: the id of the first of each run of symbols with consecutive ids.
_RUNS = {
    1: ";:,.!?",
    9: '—…"()“” \u0303ʣʥʦʨᵝ\uab67AI',
    31: "O",
    33: "Q",
    35: "ST",
    39: "W",
    41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ",
    75: "βɔɕç",
    80: "ɖðʤə",
    85: "ɚɛɜ",
    90: "ɟ",
    92: "ɡ",
    99: "ɥ",
    101: "ɨɪʝ",
    110: "ɯɰŋɳɲɴø",
    118: "ɸθœ",
    123: "ɹ",
    125: "ɾɻ",
    128: "ʁɽʂʃʈʧ",
    135: "ʊʋ",
    138: "ʌɣɤ",
    142: "χʎ",
    147: "ʒʔ",
    156: "ˈˌː",
    162: "ʰ",
    164: "ʲ",
    169: "↓",
    171: "→↗↘",
    177: "ᵻ",
}
SYMBOL_IDS = {symbol: first + i for first, run in _RUNS.items() for i, symbol in enumerate(run)}
_PAD = 0
# How long the network makes each token, in frames.
_DURATIONS = "/encoder/Clip_output_0"


class KokoroModel:
    """The network in memory.

    Args:
        path: The ONNX file.
        threads: How many threads a run may use.
    """

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Waiting threads would burn the cores that recognition and the language model need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            with_output(path.read_bytes(), _DURATIONS), options, providers=["CPUExecutionProvider"]
        )

    def run(
        self, phonemes: str, styles: NDArray[np.float32], speed: float, cancel: Cancellation
    ) -> Voiced | None:
        """Speak phonemes.

        Args:
            phonemes: At most `MAX_TOKENS` symbols, all in `SYMBOL_IDS`.
            styles: The voice: one style vector per number of tokens, shape ``(510, 256)``.
            speed: 1.0 is the voice's own rate.
            cancel: Interrupts the run between two operators of the network.

        Returns:
            Audio at `SAMPLE_RATE`, trimmed, with its phonemes; None if cancelled.

        Raises:
            EngineError: The network failed.
        """
        ids = [SYMBOL_IDS[symbol] for symbol in phonemes]
        inputs = {
            "input_ids": np.array([[_PAD, *ids, _PAD]], np.int64),
            "style": styles[len(ids) - 1][None],
            "speed": np.array([speed], np.float32),
        }
        options = ort.RunOptions()
        try:
            with cancel.calling(lambda: setattr(options, "terminate", True)):
                waveform, frames = self._session.run(None, inputs, options)
        except Fail as error:
            if cancel.cancelled:
                return None
            raise EngineError("failed", f"Kokoro could not speak: {error}") from error
        return voiced(waveform[0], SAMPLE_RATE, phonemes, frames[0])


def load_styles(path: Path) -> NDArray[np.float32]:
    """Read a voice file: little-endian float32, shape ``(510, 1, 256)``."""
    return np.fromfile(path, "<f4").reshape(MAX_TOKENS, _STYLE_SIZE)
