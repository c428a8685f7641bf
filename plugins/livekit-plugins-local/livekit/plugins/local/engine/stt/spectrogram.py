"""What Whisper sees: the spectrogram of an utterance and of the silence after it."""

from collections.abc import Callable

import numpy as np
from livekit.plugins.local.engine.stt.base import Samples
from livekit.plugins.local.protocol import STT_SAMPLE_RATE
from numpy.typing import NDArray

Spectrogram = NDArray[np.float32]

_HOP = 160
# More silence than a window of the transform is long.
_SOME_SILENCE = STT_SAMPLE_RATE // 10


def spectrogram(
    transform: Callable[[Samples], Spectrogram], audio: Samples, context: int
) -> Spectrogram:
    """Return the spectrogram of audio that digital silence extends to ``context`` seconds.

    Zeros before the transform, not after it: the edge helps the decoder stop. Only the first of
    them are transformed, since all silence looks alike, which takes a third of the time.

    Args:
        transform: Whisper's log-mel transform, from samples to ``(bands, frames + 1)``.
        audio: What is longer than the context is cut.
        context: Seconds.

    Returns:
        Shape ``(bands, 100 * context)``.
    """
    usable = min(len(audio), context * STT_SAMPLE_RATE)
    length = min(usable + _SOME_SILENCE, context * STT_SAMPLE_RATE)
    padded = np.zeros(length + -length % _HOP, np.float32)
    padded[:usable] = audio[:usable]
    seen = transform(padded)[:, : len(padded) // _HOP]
    missing = context * STT_SAMPLE_RATE // _HOP - seen.shape[1]
    # The last frame is silence, if anything is missing.
    silence = np.repeat(seen[:, -1:], missing, axis=1)
    return np.concatenate([seen, silence], axis=1)
