"""Kokoro says phonemes, and spares itself the silence around them."""

from pathlib import Path

import numpy as np
from livekit.plugins.local.engine.tts.audio import voiced
from livekit.plugins.local.engine.tts.base import Cancellation, Voiced
from livekit.plugins.local.engine.tts.kokoro_network import (
    KokoroNetwork,
    Norms,
    Plan,
    Scaling,
    is_variance,
)
from livekit.plugins.local.engine.tts.kokoro_symbols import MAX_TOKENS, SYMBOL_IDS
from numpy.typing import NDArray

SAMPLE_RATE = 24_000
_STYLE_SIZE = 256
# How far below the loudest frame one is silent, in the network's unit of loudness, and how many of
# those are made with the others, since a sound begins and fades in them.
_SILENT = 16.0
_BEFORE, _AFTER = 3, 2


class KokoroModel:
    """Makes the sound of what is heard alone.

    That is nearly all of the work, and a third of the frames of a short clause are silence around
    it. They are not made. But the network scales its sounds by the mean and the variance of all
    frames, and without silence it makes soft ones softer; so what silence adds to those is found
    out once for each voice, and counted (`silence`).

    Args:
        path: The ONNX file.
        threads: How many threads a run may use.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._network = KokoroNetwork(path, threads)

    def run(
        self,
        phonemes: str,
        styles: NDArray[np.float32],
        silence: Norms,
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
        frames = audible(plan)
        share = len(frames) / len(plan.frames)
        counted = {name: (1.0 - share) * quiet for name, quiet in silence.items()}
        samples = self._network.sound(plan, frames, cancel, Scaling(share, counted))
        if samples is None:
            return None
        edges = np.cumsum(plan.durations).clip(frames.start, frames.stop)
        durations = np.diff(edges, prepend=frames.start)
        durations[-1] += frames.stop - edges[-1]
        return voiced(samples, SAMPLE_RATE, phonemes, durations)

    def silence(
        self, phonemes: str, styles: NDArray[np.float32], cancel: Cancellation
    ) -> Norms | None:
        """Find out what a frame of silence adds to the means and variances of a voice.

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
        whole = self._network.norms(plan, plan.frames, cancel)
        if whole is None:
            return None
        heard = audible(plan)
        alone = self._network.norms(plan, heard, cancel, Scaling(0.0, whole))
        if alone is None:
            return None
        quiet: dict[str, NDArray[np.float32]] = {}
        for name, all_of_it in whole.items():
            rest = len(plan.frames) * all_of_it - len(heard) * alone[name]
            # A variance is none if it is below zero, however little there is of it.
            least = 0.0 if is_variance(name) else -np.inf
            each = rest / max(1, len(plan.frames) - len(heard))
            quiet[name] = np.maximum(each, least).astype(np.float32)
        return quiet

    def _plan(
        self, phonemes: str, styles: NDArray[np.float32], speed: float, cancel: Cancellation
    ) -> Plan | None:
        ids = [SYMBOL_IDS[symbol] for symbol in phonemes]
        return self._network.plan(ids, styles[len(ids) - 1][None], speed, cancel)


def audible(plan: Plan) -> range:
    """Return the frames that are not silence before and after all others."""
    loudness = plan.loudness[0].reshape(-1, 2).mean(axis=1)
    loud = np.flatnonzero(loudness > loudness.max() - _SILENT)
    return range(max(0, int(loud[0]) - _BEFORE), min(len(loudness), int(loud[-1]) + 1 + _AFTER))


def load_styles(path: Path) -> NDArray[np.float32]:
    """Read a voice file: little-endian float32, shape ``(510, 1, 256)``."""
    return np.fromfile(path, "<f4").reshape(MAX_TOKENS, _STYLE_SIZE)
