"""Samples of voices: judged, and kept with the speaker's consent."""

import datetime
import hashlib
import re
import shutil
import wave
from pathlib import Path

import numpy as np
from livekit.plugins.local.engine.tts.cloned import (
    SAMPLE,
    ClonedVoice,
    voices_folder,
    write_record,
)

from agent.errors import UserError
from agent.paths import private_dir

SECONDS = (3.0, 60.0)
"""Shortest and longest sample."""

_RATE = 24_000
_MIN_CONSENT = 20
_MIN_LEVEL = 0.001
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def add_voice(data_dir: Path, engine: str, name: str, sample: Path, consent: str) -> ClonedVoice:
    """Keep a sample as a voice of an engine.

    Args:
        data_dir: Where voices are kept; only its owner may read what is written.
        engine: The engine that clones.
        name: Name of the voice.
        sample: An audio file with one person's speech.
        consent: The statement by which that person agrees.

    Raises:
        UserError: The name, the statement or the sample will not do.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} cannot be the name of a voice; use up to 40 lower-case letters, digits, "
            "hyphens and underscores."
        )
    consent = " ".join(consent.split())
    if len(consent) < _MIN_CONSENT:
        raise UserError(
            "Cloning a voice needs the speaker's consent; pass the statement with --consent, such "
            'as "I, Jane Doe, agree that this agent speaks with my voice".'
        )
    folder = voices_folder(data_dir) / name
    if folder.exists():
        raise UserError(f"There is a voice {name} already, in {folder}; choose another name.")
    samples = read_sample(sample)
    voice = ClonedVoice(
        name=name,
        engine=engine,
        sha256=hashlib.sha256(sample.read_bytes()).hexdigest(),
        added=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        consent=consent,
        seconds=round(len(samples) / _RATE, 1),
    )
    private_dir(voices_folder(data_dir))
    private_dir(folder)
    try:
        with wave.open(str(folder / SAMPLE), "wb") as audio:
            audio.setparams((1, 2, _RATE, 0, "NONE", ""))
            audio.writeframes(samples.tobytes())
        # Last, because without it nothing is a voice.
        write_record(folder, voice)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return voice


def read_sample(path: Path) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """Return a sample: int16 mono at 24 kHz, shape ``(samples,)``.

    Raises:
        UserError: It is not audio, too short, too long, or silent.
    """
    import av

    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    blocks: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
    length = 0
    try:
        # Only files: a playlist would make the decoder open others.
        with av.open(str(path), options={"protocol_whitelist": "file"}) as source:
            if not source.streams.audio:
                raise UserError(f"{path} holds no sound; give a WAV file of somebody speaking.")
            for frame in source.decode(source.streams.audio[0]):
                for part in resampler.resample(frame):
                    blocks.append(part.to_ndarray()[0])
                    length += part.samples
                if length > SECONDS[1] * _RATE:
                    raise UserError(
                        f"{path} is longer than {SECONDS[1]:g} s; cut out "
                        f"{SECONDS[0]:g} to {SECONDS[1]:g} s in which one person speaks."
                    )
    except (av.FFmpegError, ValueError):
        raise UserError(
            f"{path} is not audio that can be read; give a WAV file of somebody speaking."
        ) from None
    if length < SECONDS[0] * _RATE:
        raise UserError(
            f"{path} is {length / _RATE:.1f} s long; give {SECONDS[0]:g} to {SECONDS[1]:g} s in "
            "which one person speaks."
        )
    samples = np.concatenate(blocks).astype(np.int16)
    if float(np.abs(samples.astype(np.float32)).mean()) / 32768 < _MIN_LEVEL:
        raise UserError(f"{path} is silent; give a recording of somebody speaking.")
    return samples
