"""The Kokoro-82M v1.0 network (Apache-2.0) in two halves, run with ONNX Runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from livekit.plugins.local.engine.tts.base import Cancellation
from livekit.plugins.local.engine.tts.kokoro_symbols import PAD
from livekit.plugins.local.engine.tts.onnx_graph import added, blend, cut_open, made, made_by, part
from livekit.plugins.local.engine.tts.onnx_products import as_products, multiplies_exactly
from livekit.plugins.local.engine.tts.onnx_transform import as_convolution
from livekit.plugins.local.errors import EngineError
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

# How long the network makes each token, in frames.
_DURATIONS = "/encoder/Clip_output_0"
# What it makes of the text, and its sound of: the sounds, frame by frame, and twice a frame how
# high and how loud they are.
_SOUNDS = "/encoder/MatMul_1_output_0"
_PITCH = "/encoder/Reshape_output_0"
_LOUDNESS = "/encoder/Reshape_1_output_0"
_PLAN = (_SOUNDS, _PITCH, _LOUDNESS)
# The half that makes the sound, and what it takes the mean and the variance of all frames by.
_SOUNDING, _MEAN, _VARIANCE = "/decoder/decoder/", "ReduceMean", "/ReduceMean_2_"
_WAVES = "/decoder/decoder/generator/STFT_output_0"
_WAVEFORM = "waveform"
_SHARE = "share"

Norms = Mapping[str, NDArray[np.float32]]
"""Means and variances of all frames, by their names in the network."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """By what a sound is scaled: by its own means and variances, unless told otherwise.

    Attributes:
        share: By what those are multiplied.
        more: What is added to them then.
    """

    share: float = 1.0
    more: Norms = field(default_factory=dict)


_ITS_OWN = Scaling()


@dataclass(frozen=True, slots=True)
class Plan:
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


class KokoroNetwork:
    """The network in memory: its first half plans, the second makes the sound.

    Args:
        path: The ONNX file.
        threads: How many threads a run may use.
    """

    def __init__(self, path: Path, threads: int) -> None:
        network = onnx.load(path)
        self._norms = made_by(network, _MEAN, _SOUNDING)
        cut_open(network, _PLAN)
        blend(network, self._norms, _SHARE)
        as_convolution(network, _WAVES)
        if multiplies_exactly():
            as_products(network)
        self._planning = _session(part(network, [_DURATIONS, *map(made, _PLAN)]), threads)
        self._sounding = _session(part(network, [_WAVEFORM, *map(made, self._norms)]), threads)

    def plan(
        self, ids: Sequence[int], style: NDArray[np.float32], speed: float, cancel: Cancellation
    ) -> Plan | None:
        """Plan how to say phonemes.

        Args:
            ids: Numbers of the phonemes.
            style: The voice, shape ``(1, 256)``.
            speed: 1.0 is the voice's own rate.
            cancel: Interrupts the run between two operators of the network.

        Returns:
            The plan; None if cancelled.

        Raises:
            EngineError: The network failed.
        """
        inputs: dict[str, NDArray[Any]] = {
            "input_ids": np.array([[PAD, *ids, PAD]], np.int64),
            "style": style,
            "speed": np.array([speed], np.float32),
        }
        outputs = _run(self._planning, None, inputs, cancel)
        if outputs is None:
            return None
        durations, sounds, pitch, loudness = outputs
        return Plan(durations[0], sounds, pitch, loudness, style)

    def sound(
        self, plan: Plan, frames: range, cancel: Cancellation, scaling: Scaling = _ITS_OWN
    ) -> NDArray[np.float32] | None:
        """Make the sound of some frames.

        Args:
            plan: How it is to be.
            frames: Which frames of the plan.
            cancel: See `plan`.
            scaling: By what they are scaled.

        Returns:
            Samples, shape ``(samples,)``; None if cancelled.

        Raises:
            EngineError: The network failed.
        """
        outputs = self._sound([_WAVEFORM], plan, frames, cancel, scaling)
        return None if outputs is None else outputs[0][0]

    def norms(
        self, plan: Plan, frames: range, cancel: Cancellation, scaling: Scaling = _ITS_OWN
    ) -> Norms | None:
        """Return the means and variances of some frames; see `sound`."""
        names = self._norms
        outputs = self._sound(list(map(made, names)), plan, frames, cancel, scaling)
        return None if outputs is None else dict(zip(names, outputs, strict=True))

    def _sound(
        self,
        outputs: list[str],
        plan: Plan,
        frames: range,
        cancel: Cancellation,
        scaling: Scaling,
    ) -> list[NDArray[np.float32]] | None:
        here, halves = slice(frames.start, frames.stop), slice(2 * frames.start, 2 * frames.stop)
        nothing = np.zeros((1, 1, 1), np.float32)
        inputs: dict[str, NDArray[Any]] = {
            "style": plan.style,
            _SOUNDS: np.ascontiguousarray(plan.sounds[:, :, here]),
            _PITCH: np.ascontiguousarray(plan.pitch[:, halves]),
            _LOUDNESS: np.ascontiguousarray(plan.loudness[:, halves]),
            _SHARE: np.array([scaling.share], np.float32),
        }
        for name in self._norms:
            inputs[added(name)] = scaling.more.get(name, nothing).astype(np.float32)
        return _run(self._sounding, outputs, inputs, cancel)


def is_variance(name: str) -> bool:
    """Return whether one of the `Norms` is a variance."""
    return _VARIANCE in name


def _session(network: onnx.ModelProto, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads would burn the cores that recognition and the language model need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(
        network.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _run(
    half: ort.InferenceSession,
    outputs: list[str] | None,
    inputs: dict[str, NDArray[Any]],
    cancel: Cancellation,
) -> list[NDArray[np.float32]] | None:
    options = ort.RunOptions()
    try:
        with cancel.calling(lambda: setattr(options, "terminate", True)):
            results: list[NDArray[np.float32]] = half.run(outputs, inputs, options)
    except Fail as error:
        if cancel.cancelled:
            return None
        raise EngineError("failed", f"Kokoro could not speak: {error}") from error
    return results
