"""Recorded speech whose words are known.

A corpus is a folder with ``clips.tsv``: a header line, then one line per clip, of which the columns
``file``, ``lang``, ``kind`` and ``text`` are read. Clips of kind ``nonspeech`` hold no words.
"""

import csv
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from livekit import rtc

from agent.caller.onset import FRAME, OnsetConfig, Pcm, find_speech, frame_levels
from agent.caller.onset import SAMPLE_RATE as LEVEL_RATE
from agent.errors import UserError
from agent.paths import hash_text

RATE = 16_000
"""Rate of all audio here, in Hz."""
NON_SPEECH = "nonspeech"
INDEX = "clips.tsv"
_CLICK_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording.

    Attributes:
        path: Audio file of any kind that FFmpeg reads.
        language: Two-letter code, ``xx`` for non-speech.
        kind: ``read``, ``command``, ``spontaneous``, ``nonspeech``, …
        text: What is said.
    """

    path: Path
    language: str
    kind: str
    text: str

    @property
    def name(self) -> str:
        """Name of the clip within its corpus."""
        return self.path.stem


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """The sound of a clip.

    Attributes:
        pcm: int16 samples at 16 kHz, shape ``(samples,)``.
        speech_start: Seconds into it at which somebody begins to speak.
        speech_end: Seconds into it at which the last word ends.
    """

    pcm: Pcm
    speech_start: float
    speech_end: float


def default_folder() -> Path | None:
    """Return the folder ``shared/speech`` beside the checkout, if there is one."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "speech"
    return folder if (folder / INDEX).is_file() else None


def load_corpus(folder: Path) -> list[Clip]:
    """Read the index of a corpus.

    Raises:
        UserError: There is none, it lacks a column, or it names a file that is missing.
    """
    index = folder / INDEX
    try:
        with index.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except OSError as error:
        raise UserError(f"Cannot read --corpus {index}: {error.strerror}.") from None
    try:
        clips = [
            Clip(folder / row["file"], row["lang"], row["kind"], row["text"] or "") for row in rows
        ]
    except KeyError as error:
        raise UserError(f"--corpus {index} has no column {error}.") from None
    for clip in clips:
        if not clip.path.is_file():
            raise UserError(f"--corpus {index} names {clip.path.name}, which is not there.")
    return clips


def choose(
    clips: Iterable[Clip], languages: Collection[str], limit: int | None, done: Collection[str]
) -> list[Clip]:
    """Return the clips to play: those with words in these languages that are not done yet.

    They come in an order that mixes kinds and speakers and is the same on every machine, so that
    the first few stand for all.
    """
    wanted = [
        clip
        for clip in clips
        if clip.language in languages and clip.kind != NON_SPEECH and clip.name not in done
    ]
    return sorted(wanted, key=lambda clip: hash_text(clip.name))[:limit]


@lru_cache(maxsize=256)
def read_recording(path: Path) -> Recording:
    """Read a clip and find its speech by its energy.

    A 10 ms frame is loud when it comes within 30 dB of the clip's loud parts (95th percentile) and
    stands out from its quiet parts (10 dB above the 10th percentile, or where there are none, 12 dB
    below the loud ones). 30 ms of loud frames in a row begin speech, and the last of them ends it;
    what is shorter than 150 ms and alone is the click of a button. Recorded levels differ by 50 dB,
    so no fixed level would do.

    Raises:
        UserError: It cannot be read.
    """
    try:
        pcm, fine = _decode(path, RATE), _decode(path, LEVEL_RATE)
    except (OSError, FFmpegError) as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from None
    levels = frame_levels(fine)
    if not len(levels):
        return Recording(pcm, 0.0, 0.0)
    quiet, loud = np.percentile(levels, [10, 95])
    threshold = float(max(loud - 30, min(quiet + 10, loud - 12)))
    loud_parts = find_speech(levels, OnsetConfig(threshold, min_run=0.03))
    words = [part for part in loud_parts if (part.end - part.start) * FRAME >= _CLICK_SECONDS]
    speech = words or loud_parts
    if not speech:
        return Recording(pcm, 0.0, len(pcm) / RATE)
    return Recording(pcm, speech[0].start * FRAME, speech[-1].end * FRAME)


def at_rate(frame: rtc.AudioFrame) -> Pcm:
    """Return the samples of a mono frame at `RATE`."""
    resampler = rtc.AudioResampler(frame.sample_rate, RATE, quality=rtc.AudioResamplerQuality.HIGH)
    frames = resampler.push(frame) + resampler.flush()
    return np.concatenate([np.frombuffer(part.data, np.int16) for part in frames])


def _decode(path: Path, rate: int) -> Pcm:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(str(path)) as container:
        decoded = [
            part for frame in container.decode(audio=0) for part in resampler.resample(frame)
        ]
    parts = [part.to_ndarray()[0] for part in (*decoded, *resampler.resample(None))]
    return np.concatenate([np.zeros(0, np.int16), *parts])
