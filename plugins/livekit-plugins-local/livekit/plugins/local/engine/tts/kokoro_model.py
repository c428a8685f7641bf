"""Runs the Kokoro-82M v1.0 network (Apache-2.0) with ONNX Runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from livekit.plugins.local.engine.tts.audio import voiced
from livekit.plugins.local.engine.tts.base import Cancellation, Voiced
from livekit.plugins.local.engine.tts.onnx_graph import (
    added,
    blend,
    cut_open,
    made,
    made_by,
    with_output,
)
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
# What it makes of the text, and its sound of: the sounds, frame by frame, and twice a frame how
# high and how loud they are.
_SOUNDS = "/encoder/MatMul_1_output_0"
_PITCH = "/encoder/Reshape_output_0"
_LOUDNESS = "/encoder/Reshape_1_output_0"
_PLAN = (_SOUNDS, _PITCH, _LOUDNESS)
_SOUND_SIZE = 512
# The half that makes the sound, and what it takes the mean and the variance of all frames by.
_SOUNDING, _MEAN, _VARIANCE = "/decoder/decoder/", "ReduceMean", "/ReduceMean_2_"
_SHARE = "share"
# How far below the loudest frame one is silent, in the network's unit of loudness, and how many of
# those are made with the others, since a sound begins and fades in them.
_SILENT = 16.0
_BEFORE, _AFTER = 3, 2

Silence = Mapping[str, NDArray[np.float32]]
"""What a frame of silence adds to the means and variances of the network, by their names."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How phonemes are to be said.

    Attributes:
        durations: Of the silence before, of each phoneme and of the silence after, in frames; shape
            ``(phonemes + 2,)``.
        sounds: Shape ``(1, 512, frames)``.
        pitch: Shape ``(1, 2 * frames)``.
        loudness: Shape like that of `pitch`.
        style: The voice, shape ``(1, 256)``.
    """

    durations: NDArray[np.float32]
    sounds: NDArray[np.float32]
    pitch: NDArray[np.float32]
    loudness: NDArray[np.float32]
    style: NDArray[np.float32]

    @property
    def frames(self) -> range:
        """All of them."""
        return range(self.sounds.shape[2])

    @property
    def audible(self) -> range:
        """Those that are not silence before and after all others."""
        loudness = self.loudness[0].reshape(-1, 2).mean(axis=1)
        loud = np.flatnonzero(loudness > loudness.max() - _SILENT)
        return range(max(0, int(loud[0]) - _BEFORE), min(len(loudness), int(loud[-1]) + 1 + _AFTER))


class KokoroModel:
    """The network in memory, in two halves: the first plans, the second makes the sound.

    The second is nearly all of the work, and a third of the frames of a short clause are silence
    around it. They are not made. But the network scales its sounds by the mean and the variance of
    all frames, and without silence it makes soft ones softer; so what silence adds to those is
    found out once for each voice, and counted (`silence`).

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
        network = path.read_bytes()
        self._norms = made_by(network, _MEAN, _SOUNDING)
        network = blend(cut_open(network, _PLAN), self._norms, _SHARE)
        network = with_output(network, _DURATIONS)
        self._session = ort.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def run(
        self,
        phonemes: str,
        styles: NDArray[np.float32],
        silence: Silence,
        speed: float,
        cancel: Cancellation,
    ) -> Voiced | None:
        """Speak phonemes.

        Args:
            phonemes: At most `MAX_TOKENS` symbols, all in `SYMBOL_IDS`.
            styles: The voice: one style vector per number of tokens, shape ``(510, 256)``.
            silence: The voice's.
            speed: 1.0 is the voice's own rate.
            cancel: Interrupts the run between two operators of the network.

        Returns:
            Audio at `SAMPLE_RATE`, trimmed, with its phonemes; None if cancelled.

        Raises:
            EngineError: The network failed.
        """
        plan = self._plan(phonemes, styles, speed, cancel)
        if plan is None:
            return None
        frames = plan.audible
        share = len(frames) / len(plan.frames)
        counted = {name: (1.0 - share) * silence[name] for name in self._norms}
        made_here = self._sound(["waveform"], plan, frames, share, counted, cancel)
        if made_here is None:
            return None
        edges = np.cumsum(plan.durations).clip(frames.start, frames.stop)
        durations = np.diff(edges, prepend=frames.start)
        durations[-1] += frames.stop - edges[-1]
        return voiced(made_here[0][0], SAMPLE_RATE, phonemes, durations)

    def silence(
        self, phonemes: str, styles: NDArray[np.float32], cancel: Cancellation
    ) -> Silence | None:
        """Find out what silence adds to the means of a voice.

        A clause is said once as it is, and once without the silence around it but scaled in the
        same way: what is missing then is what the silence had added.

        Args:
            phonemes: Anything to say.
            styles: The voice.
            cancel: See `run`.

        Returns:
            It, for `run`; None if cancelled.

        Raises:
            EngineError: The network failed.
        """
        plan = self._plan(phonemes, styles, 1.0, cancel)
        if plan is None:
            return None
        outputs = list(map(made, self._norms))
        whole = self._sound(outputs, plan, plan.frames, 1.0, {}, cancel)
        if whole is None:
            return None
        scaled = dict(zip(self._norms, whole, strict=True))
        part = self._sound(outputs, plan, plan.audible, 0.0, scaled, cancel)
        if part is None:
            return None
        every, audible = len(plan.frames), len(plan.audible)
        quiet: dict[str, NDArray[np.float32]] = {}
        for name, all_of_it, without in zip(self._norms, whole, part, strict=True):
            rest = (every * all_of_it - audible * without) / max(1, every - audible)
            # A variance is none if it is below zero, however little there is of it.
            least = 0.0 if _VARIANCE in name else -np.inf
            quiet[name] = np.maximum(rest, least).astype(np.float32)
        return quiet

    def _plan(
        self, phonemes: str, styles: NDArray[np.float32], speed: float, cancel: Cancellation
    ) -> _Plan | None:
        ids = [SYMBOL_IDS[symbol] for symbol in phonemes]
        style = styles[len(ids) - 1][None]
        inputs = {
            "input_ids": np.array([[_PAD, *ids, _PAD]], np.int64),
            "style": style,
            "speed": np.array([speed], np.float32),
            # Of the other half, which does not run.
            _SOUNDS: np.zeros((1, _SOUND_SIZE, 1), np.float32),
            _PITCH: np.zeros((1, 2), np.float32),
            _LOUDNESS: np.zeros((1, 2), np.float32),
            **self._scaling(1.0, {}),
        }
        outputs = self._run([_DURATIONS, *map(made, _PLAN)], inputs, cancel)
        if outputs is None:
            return None
        durations, sounds, pitch, loudness = outputs
        return _Plan(durations[0], sounds, pitch, loudness, style)

    def _sound(
        self,
        outputs: list[str],
        plan: _Plan,
        frames: range,
        share: float,
        counted: Silence,
        cancel: Cancellation,
    ) -> list[NDArray[np.float32]] | None:
        here, halves = slice(frames.start, frames.stop), slice(2 * frames.start, 2 * frames.stop)
        inputs: dict[str, NDArray[Any]] = {
            "style": plan.style,
            _SOUNDS: np.ascontiguousarray(plan.sounds[:, :, here]),
            _PITCH: np.ascontiguousarray(plan.pitch[:, halves]),
            _LOUDNESS: np.ascontiguousarray(plan.loudness[:, halves]),
            # Of the other half, which does not run.
            "input_ids": np.array([[_PAD, _PAD]], np.int64),
            "speed": np.ones(1, np.float32),
            **self._scaling(share, counted),
        }
        return self._run(outputs, inputs, cancel)

    def _scaling(self, share: float, counted: Silence) -> dict[str, NDArray[np.float32]]:
        nothing = np.zeros((1, 1, 1), np.float32)
        more = {added(name): counted.get(name, nothing).astype(np.float32) for name in self._norms}
        return {**more, _SHARE: np.array([share], np.float32)}

    def _run(
        self, outputs: list[str], inputs: dict[str, NDArray[Any]], cancel: Cancellation
    ) -> list[NDArray[np.float32]] | None:
        options = ort.RunOptions()
        options.only_execute_path_to_fetches = True
        try:
            with cancel.calling(lambda: setattr(options, "terminate", True)):
                results: list[NDArray[np.float32]] = self._session.run(outputs, inputs, options)
        except Fail as error:
            if cancel.cancelled:
                return None
            raise EngineError("failed", f"Kokoro could not speak: {error}") from error
        return results


def load_styles(path: Path) -> NDArray[np.float32]:
    """Read a voice file: little-endian float32, shape ``(510, 1, 256)``."""
    return np.fromfile(path, "<f4").reshape(MAX_TOKENS, _STYLE_SIZE)
