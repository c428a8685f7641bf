"""A test set of pauses in mid-sentence: hesitations that a voice speaks, and cut recordings.

It is a corpus (see `agent.bench.corpus`) with clips of two kinds: ``pause`` has a silence within,
and ``whole`` is the same without one. The name of a clip ends in the milliseconds of its pause.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from livekit.plugins import local

from agent.bench import corpus
from agent.bench.corpus import INDEX, RATE, Clip, read_recording
from agent.bench.voice.script import CALLER_VOICES, PAUSE, frame_of, questions, trimmed
from agent.caller.onset import Pcm
from agent.errors import UserError

PAUSES = (0.3, 0.5, 0.7, 0.9, 1.2)
"""Lengths of the pauses, in seconds; in mid-sentence people's are seldom longer."""
_RECORDINGS = 20
_SHORTEST_SECONDS = 2.0
_GAP_SECONDS = 0.05
_MIDDLE = (0.3, 0.7)
# A gap between words is at most so loud, beside the clip as a whole.
_GAP_LEVEL = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Breath:
    """Speech with one place to pause.

    Attributes:
        name: What its clips are called.
        before: int16 samples at 16 kHz up to there.
        after: What follows.
        text: What is said.
    """

    name: str
    before: Pcm
    after: Pcm
    text: str

    def sound(self, pause: float) -> Pcm:
        """Return all of it, with so many seconds of silence."""
        return np.concatenate([self.before, np.zeros(round(pause * RATE), np.int16), self.after])


async def hesitations(engine: str, language: str) -> list[Breath]:
    """Have the engine speak the questions in which callers hesitate.

    Raises:
        APIError: The engine failed.
    """
    voice = local.TTS(engine=engine, language=language, voice=CALLER_VOICES.get(language))
    found = []
    try:
        for number, question in enumerate(questions().get(language, [])):
            if PAUSE not in question:
                continue
            texts = [part.strip() for part in question.split(PAUSE, 1)]
            frames = [await voice.synthesize(text).collect() for text in texts]
            before, after = (trimmed(corpus.at_rate(frame)) for frame in frames)
            found.append(Breath(f"{language}_spoken_{number:02}", before, after, " ".join(texts)))
    finally:
        await voice.aclose()
    return found


def recordings(source: Path, language: str) -> list[Breath]:
    """Return the clips of a corpus that have a gap between words near their middle.

    Raises:
        UserError: The corpus cannot be read.
    """
    clips = corpus.choose(corpus.load_corpus(source), [language], None, ())
    found = (_split(clip) for clip in clips)
    return [breath for breath in found if breath][:_RECORDINGS]


def write(breaths: Iterable[Breath], folder: Path, language: str) -> int:
    """Write the corpus, and return how many clips it has.

    Raises:
        UserError: It cannot be written.
    """
    lines = ["file\tlang\tkind\ttext"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for breath in breaths:
            for pause in (0.0, *PAUSES):
                name = f"{breath.name}_{round(pause * 1000):04}.wav"
                (folder / name).write_bytes(frame_of(breath.sound(pause), RATE).to_wav_bytes())
                kind = "pause" if pause else "whole"
                lines.append(f"{name}\t{language}\t{kind}\t{breath.text}")
        (folder / INDEX).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write {folder}: {error.strerror}.") from None
    return len(lines) - 1


def _split(clip: Clip) -> Breath | None:
    """Cut a clip in its quietest gap near the middle; None if it is too short or has none."""
    recording = read_recording(clip.path)
    first, last = round(recording.speech_start * RATE), round(recording.speech_end * RATE)
    speech = recording.pcm[first:last]
    if len(speech) < _SHORTEST_SECONDS * RATE:
        return None
    size = round(_GAP_SECONDS * RATE)
    begin, end = (round(share * len(speech)) for share in _MIDDLE)
    starts = range(begin, end, size // 4)
    levels = [_level(speech[at : at + size]) for at in starts]
    quietest = int(np.argmin(levels))
    if levels[quietest] > _GAP_LEVEL * _level(speech):
        return None
    cut = starts[quietest] + size // 2
    return Breath(clip.name, speech[:cut], speech[cut:], clip.text)


def _level(samples: Pcm) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
