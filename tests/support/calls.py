"""Calls placed on a running stack."""

import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.caller.access import TokenEndpoint
from agent.caller.call import CallOptions, place_call
from agent.caller.report import CallReport
from tests.support.speech import RATE


def write_wav(path: Path, samples: np.ndarray) -> Path:
    """Write int16 samples at 48 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


async def converse(
    page_url: str,
    folder: Path,
    turns: Sequence[np.ndarray],
    progress: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> CallReport:
    """Call the agent and speak ``turns``, one after another.

    The way in is the page's token endpoint, unless the options (see `CallOptions`) name another.
    """
    wavs = [write_wav(folder / f"turn{at}.wav", samples) for at, samples in enumerate(turns)]
    options.setdefault("access", TokenEndpoint(f"{page_url}/token"))
    return await place_call(CallOptions(wavs=wavs, **options), progress)
