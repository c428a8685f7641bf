"""What scripted callers say: questions spoken by the engine, or clips of a corpus, as WAVs."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from livekit import rtc
from livekit.plugins import local

from agent.bench import corpus
from agent.bench.corpus import RATE, read_recording
from agent.caller.onset import Pcm
from agent.errors import UserError
from agent.paths import hash_text

CALLER_VOICES = {"en": "kokoro/am_michael", "fr": "kokoro/ff_siwis"}
"""Not the agent's own voice where there is another one."""
PAUSE = "|"
"""Where the caller of a question hesitates."""
_PAUSE_SECONDS = (0.4, 0.9)
_QUIET = 0.05
_PEAK = 0.7
_LEAD_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Line:
    """One turn of a script.

    Attributes:
        name: The same in every run.
        wav: What is played.
        hesitates: Whether there is a pause in mid-sentence.
    """

    name: str
    wav: Path
    hesitates: bool


async def speak_questions(
    engine: str, folder: Path, language: str, limit: int | None = None
) -> list[Line]:
    """Have the engine speak the questions of a language, and keep them in ``folder``.

    Args:
        engine: Address of the engine.
        folder: An empty directory.
        language: Two-letter code.
        limit: How many are wanted at the most.

    Raises:
        APIError: The engine failed.
        UserError: There are no questions in this language.
    """
    texts = questions().get(language)
    if not texts:
        raise UserError(
            f"There are no questions in {language}; name clips with --corpus, "
            f"or one of {', '.join(questions())} with --language."
        )
    voice = local.TTS(engine=engine, language=language, voice=CALLER_VOICES[language])
    lines = []
    try:
        for number, question in enumerate(texts[:limit]):
            parts = [part.strip() for part in question.split(PAUSE)]
            spoken = [await voice.synthesize(part).collect() for part in parts]
            wav = folder / f"{language}_{number:02}.wav"
            wav.write_bytes(join(spoken, question).to_wav_bytes())
            lines.append(Line(wav.stem, wav, len(parts) > 1))
    finally:
        await voice.aclose()
    return lines


def take_clips(source: Path, folder: Path, language: str) -> list[Line]:
    """Cut the clips of a corpus to their speech and bring them to one level, in ``folder``.

    Raises:
        UserError: The corpus cannot be read or has no speech in this language.
    """
    clips = corpus.choose(corpus.load_corpus(source), [language], None, ())
    if not clips:
        raise UserError(f"--corpus {source} holds no clips in {language}.")
    lines = []
    for clip in clips:
        recording = read_recording(clip.path)
        start = max(0, round((recording.speech_start - _LEAD_SECONDS) * RATE))
        speech = recording.pcm[start : round(recording.speech_end * RATE)].astype(np.float64)
        loudest = float(np.abs(speech).max(initial=1.0))
        level = (speech * (_PEAK * 32767 / loudest)).astype(np.int16)
        wav = folder / f"{clip.name}.wav"
        wav.write_bytes(frame_of(level, RATE).to_wav_bytes())
        lines.append(Line(clip.name, wav, "pause" in clip.kind))
    return lines


@cache
def questions() -> dict[str, list[str]]:
    """Return what callers ask, by language."""
    text = resources.files("agent.bench.voice").joinpath("questions.toml").read_text("utf-8")
    return tomllib.loads(text)


def join(parts: Iterable[rtc.AudioFrame], question: str) -> rtc.AudioFrame:
    """Join the parts of a question with pauses; their lengths depend on the words alone."""
    shortest, longest = _PAUSE_SECONDS
    share = int(hash_text(question)[:4], 16) / 0xFFFF
    pause = shortest + share * (longest - shortest)
    frames = list(parts)
    rate = frames[0].sample_rate
    silence = np.zeros(round(pause * rate), np.int16)
    pieces: list[Pcm] = []
    for number, frame in enumerate(frames):
        samples = np.frombuffer(frame.data, np.int16)
        pieces += [silence] if number else []
        pieces.append(trimmed(samples) if len(frames) > 1 else samples)
    return frame_of(np.concatenate(pieces), rate)


def trimmed(samples: Pcm) -> Pcm:
    """Leave out the quiet at both ends, so that a pause is as long as it is meant to be."""
    loud = np.flatnonzero(np.abs(samples) > _QUIET * np.abs(samples).max(initial=1))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def frame_of(samples: Pcm, rate: int) -> rtc.AudioFrame:
    """Return mono samples as a frame."""
    return rtc.AudioFrame(samples.tobytes(), rate, 1, len(samples))
