"""Voice and ears: a sentence is said by the engine and heard by it again."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from livekit import rtc
from livekit.agents import APIError
from livekit.plugins.local.client import EngineConnection
from livekit.plugins.local.protocol import (
    STT_PATH,
    STT_SAMPLE_RATE,
    TTS_PATH,
    TTS_SAMPLE_RATE,
    SttStart,
    TtsStart,
)

from agent.bench.wer import words
from agent.doctor.finding import Finding, fail, fail_with, ok, warn
from agent.settings import Settings

_ANSWER = 3.0
_CHUNK_BYTES = STT_SAMPLE_RATE // 5  # 100 ms
_SILENCE = bytes(STT_SAMPLE_RATE)  # half a second
_BYTES_PER_SECOND = 2 * TTS_SAMPLE_RATE
# A voice slower than this cannot speak without gaps; ears that get less than this misunderstand.
_SLOWEST_VOICE = 0.8
_FEWEST_WORDS = 0.6
# Never the same sentence twice: the engine keeps what it has said.
_SENTENCES: Mapping[str, tuple[str, Sequence[str]]] = {
    "en": (
        "The {} {} is in the {}.",
        (
            "big green small white old young red happy",
            "horse train table house window doctor river book",
            "garden kitchen city school forest village station morning",
        ),
    ),
    "fr": (
        "Le {} est {} dans la {}.",
        (
            "cheval train livre docteur chien village garçon jardin",
            "grand vert petit blanc rouge jeune heureux triste",
            "maison forêt ville cuisine gare montagne chambre voiture",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the voice made.

    Attributes:
        pcm: s16le mono at `TTS_SAMPLE_RATE`.
        first: Seconds to the first audio.
        taken: Seconds to the last.
    """

    pcm: bytes
    first: float
    taken: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.pcm) / _BYTES_PER_SECOND


async def round_trip(settings: Settings) -> Finding:
    """Say a sentence, hear it, compare the words, and measure both."""
    sentence = pick_sentence(settings.language)
    connection = EngineConnection(settings.engine_address)
    try:
        spoken = await _say(connection, settings, sentence)
        if not spoken.pcm:
            return fail("the voice made no sound", "choose another voice in TTS_VOICES")
        heard, decode = await _hear(connection, settings, spoken.pcm)
    except APIError as error:
        return fail_with(error.message, "see the log of `eloquence engine`")
    finally:
        await connection.aclose()
    rtf = spoken.taken / spoken.seconds
    figures = {
        "decode_seconds": round(decode, 3),
        "voice_first_seconds": round(spoken.first, 3),
        "voice_rtf": round(rtf, 3),
    }
    told = (
        f"said {sentence!r}, heard {heard!r}; first audio after {spoken.first * 1000:.0f} ms, "
        f"{rtf:.2f} s of work per second of speech, transcript after {decode * 1000:.0f} ms"
    )
    share = understood(sentence, heard, settings.language)
    if share < _FEWEST_WORDS:
        return warn(
            f"{told}; only {share:.0%} of the words were understood",
            "choose a larger STT_MODEL, or another voice in TTS_VOICES",
            **figures,
        )
    if rtf > _SLOWEST_VOICE:
        remedy = "choose a faster voice in TTS_VOICES, such as en=hibari/heart"
        return warn(f"{told}; the voice is slower than speech", remedy, **figures)
    return ok(told, **figures)


def pick_sentence(language: str) -> str:
    """Return a sentence to say; in languages that we do not know, a number."""
    if language not in _SENTENCES:
        return f"{random.randrange(1000, 10_000)}."
    pattern, choices = _SENTENCES[language]
    return pattern.format(*(random.choice(each.split()) for each in choices))


def understood(said: str, heard: str, language: str) -> float:
    """Return the share of the words said that were heard, in [0, 1]."""
    wanted, got = words(said, language), words(heard, language)
    if not wanted:
        return 1.0
    return _common(wanted, got) / len(wanted)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    rest = list(right)
    count = 0
    for word in left:
        if word in rest:
            rest.remove(word)
            count += 1
    return count


async def _say(connection: EngineConnection, settings: Settings, text: str) -> Spoken:
    start = TtsStart(language=settings.language, speed=settings.tts_speed)
    pcm = bytearray()
    first = last = 0.0
    async with connection.stream(TTS_PATH, start, timeout=_ANSWER) as stream:
        began = perf_counter()
        await stream.send({"type": "text", "text": text})
        await stream.send({"type": "end"})
        while (part := await stream.receive(timeout=_ANSWER)) is not None:
            if isinstance(part, bytes):
                last = perf_counter() - began
                first = first or last
                pcm += part
    return Spoken(bytes(pcm), first, last)


async def _hear(connection: EngineConnection, settings: Settings, pcm: bytes) -> tuple[str, float]:
    """Return the transcript, and the seconds from the end of the utterance until it was there."""
    audio = _resample(pcm) + _SILENCE
    start = SttStart(languages=list(settings.languages), language=settings.language, interim=False)
    async with connection.stream(STT_PATH, start, timeout=_ANSWER) as stream:
        for at in range(0, len(audio), _CHUNK_BYTES):
            await stream.send_audio(audio[at : at + _CHUNK_BYTES])
        began = perf_counter()
        await stream.send({"type": "flush", "id": 1})
        while (message := await stream.receive(timeout=_ANSWER)) is not None:
            if isinstance(message, dict) and message["type"] == "final":
                return str(message.get("text", "")), perf_counter() - began
    return "", perf_counter() - began


def _resample(pcm: bytes) -> bytes:
    resampler = rtc.AudioResampler(TTS_SAMPLE_RATE, STT_SAMPLE_RATE)
    frames = resampler.push(bytearray(pcm)) + resampler.flush()
    return b"".join(np.asarray(frame.data, np.int16).tobytes() for frame in frames)
