"""Whether a long recording, heard as one stream, gives the words of its parts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from agent.bench.corpus import RATE, Clip, read_recording
from agent.bench.stt.ours import Ours
from agent.bench.stt.scene import room_tone
from agent.bench.wer import align, words

SECONDS = 600.0
# Before and after each clip: a part then has the silence around it that it has in the whole, and as
# much of it as voice activity detection goes by.
_GAP_SECONDS = 1.024
# Samples that voice activity is judged by: the same in a part as in the whole.
_WINDOW = 512


@dataclass(frozen=True, slots=True)
class Long:
    """The outcome; error rates in percent of the words that are said.

    Attributes:
        seconds: Length of the recording.
        words: Words that are said in it.
        parts_wer: Every clip on a stream of its own.
        turns_wer: One stream, a final transcript after each clip, as in a call.
        turns_changed: Words in which that differs from the parts.
        unbroken_wer: One stream, a final transcript only at the end: the engine itself cuts.
        unbroken_changed: Words in which that differs from the parts.
        heard: The normalised words of ``parts``, ``turns`` and ``unbroken``, to find the seams.
    """

    seconds: float
    words: int
    parts_wer: float
    turns_wer: float
    turns_changed: int
    unbroken_wer: float
    unbroken_changed: int
    heard: dict[str, str]


async def listen_for_long(
    ours: Ours, clips: Sequence[Clip], language: str, seconds: float = SECONDS
) -> Long | None:
    """Put clips of one language together, again and again, to a recording of ``seconds``.

    They are pushed as fast as the engine takes them.

    Returns:
        The outcome, or None without a clip of that language.

    Raises:
        APIError: The engine failed.
        UserError: A clip cannot be read.
    """
    known = [clip for clip in clips if clip.language == language and clip.text]
    if not known:
        return None
    gap, pieces = room_tone(_GAP_SECONDS), []
    said: list[str] = []
    parts: dict[str, list[str]] = {}
    alone: list[str] = []
    length = 0.0
    for clip in cycle(known):
        if length >= seconds:
            break
        speech = (await asyncio.to_thread(read_recording, clip.path)).pcm
        pcm = np.concatenate([gap, speech, gap[: -len(speech) % _WINDOW], gap])
        pieces.append(pcm)
        length += len(pcm) / RATE
        if clip.name not in parts:
            parts[clip.name] = await _hear(ours, [pcm], language, flush_each=True)
        alone += parts[clip.name]
        said += words(clip.text, language)
    turns = await _hear(ours, pieces, language, flush_each=True)
    unbroken = await _hear(ours, pieces, language, flush_each=False)

    def wer(heard: list[str]) -> float:
        return 100 * align(said, heard).errors / len(said)

    return Long(
        seconds=length,
        words=len(said),
        parts_wer=wer(alone),
        turns_wer=wer(turns),
        turns_changed=align(alone, turns).errors,
        unbroken_wer=wer(unbroken),
        unbroken_changed=align(alone, unbroken).errors,
        heard={
            "parts": " ".join(alone),
            "turns": " ".join(turns),
            "unbroken": " ".join(unbroken),
        },
    )


async def _hear(
    ours: Ours, pieces: Sequence[np.ndarray], language: str, *, flush_each: bool
) -> list[str]:
    shown = await ours.hear_at_once(pieces, language, flush_each=flush_each)
    finals = [transcript.text for transcript in shown if transcript.kind == "final"]
    # One by one, or numbers at the seams would become one number.
    return [word for text in finals for word in words(text, language)]
