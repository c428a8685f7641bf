"""The real models behind our plugins: what is said is understood, and silence is not speech."""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import stt
from livekit.plugins import local

from tests.support.engine_process import EngineProcess
from tests.support.speech import RATE, Speaker, Transcriber

pytestmark = pytest.mark.conformance

SENTENCES = {
    "en": (
        "The capital of France is Paris, and it is a beautiful city.",
        "Could you tell me what the weather will be like tomorrow morning?",
        "I would like to book a table for two people this evening.",
        "Please remind me to call my sister before the meeting.",
    ),
    "fr": (
        "Bonjour, la capitale de l'Espagne est Madrid, une très belle ville.",
        "Je voudrais réserver une table pour deux personnes ce soir.",
        "Pouvez-vous me dire quel temps il fera demain matin ?",
        "Le train pour Marseille part dans une demi-heure.",
    ),
}
SPEECH_ERRORS, HEARING_ERRORS = 0.2, 0.25
"""Highest word error rates: of what the judge understands, and of what our ear does."""
PAUSE = 0.5


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an engine with the real models."""
    process = EngineProcess(tmp_path_factory.mktemp("engine"), dict(os.environ))
    process.start()
    try:
        asyncio.run(process.ready())
        yield process.address
    finally:
        process.kill()


@pytest.mark.parametrize("language", SENTENCES)
async def test_the_voice_is_understood(
    engine: str, transcriber: Transcriber, language: str
) -> None:
    voice = local.TTS(engine=engine, language=language)
    heard = []
    for sentence in SENTENCES[language]:
        async with voice.stream() as stream:
            stream.push_text(sentence)
            stream.end_input()
            frames = [event.frame async for event in stream]
        samples = np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames])
        heard.append(transcriber.transcribe(samples, voice.sample_rate, language))
    await voice.aclose()
    assert error_rate(SENTENCES[language], heard) <= SPEECH_ERRORS, heard


@pytest.mark.parametrize("language", SENTENCES)
async def test_what_is_said_is_heard_in_its_language(
    engine: str, speaker: Speaker, language: str
) -> None:
    spoken = [speaker.say(sentence, language) for sentence in SENTENCES[language]]
    finals = await hear(engine, spoken)
    texts = [data.text for data in finals]
    assert error_rate(SENTENCES[language], texts) <= HEARING_ERRORS, texts
    assert [data.language.language for data in finals] == [language] * len(spoken)


async def test_words_are_where_they_were_said(engine: str, speaker: Speaker) -> None:
    spoken = [speaker.say(sentence, "en") for sentence in SENTENCES["en"][:2]]
    finals = await hear(engine, spoken)
    at = 0.0
    for data, samples in zip(finals, spoken, strict=True):
        end = at + len(samples) / RATE
        assert data.words
        times = [float(str(t)) for word in data.words for t in (word.start_time, word.end_time)]
        assert times == sorted(times)
        assert at - 0.1 <= times[0] < times[-1] <= end + PAUSE
        at = end + PAUSE


async def test_a_recording_is_heard_as_in_a_stream(engine: str, speaker: Speaker) -> None:
    samples = speaker.say(SENTENCES["en"][0], "en")
    (streamed,) = await hear(engine, [samples])
    ear = local.STT(engine=engine, languages=("en", "fr"))
    event = await ear.recognize(frames_of(samples))
    await ear.aclose()
    assert error_rate([streamed.text], [event.alternatives[0].text]) == 0


@pytest.mark.parametrize("sound", ["silence", "hiss", "hum", "clicks"])
async def test_what_is_not_speech_gives_no_transcript(engine: str, sound: str) -> None:
    seconds = 30
    noise = np.random.default_rng(3)
    time = np.arange(seconds * RATE) / RATE
    samples = {
        "silence": np.zeros(len(time)),
        "hiss": noise.normal(0, 0.02, len(time)),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * time) + 0.03 * np.sin(2 * np.pi * 150 * time),
        "clicks": np.where(noise.random(len(time)) < 1e-4, 0.5, 0.0),
    }[sound]
    finals = await hear(engine, [(samples * 32767).astype(np.int16)])
    assert [data.text for data in finals] == []


async def hear(engine: str, utterances: Sequence[np.ndarray]) -> list[stt.SpeechData]:
    """Return the finals of utterances, each pushed at once and flushed after a pause."""
    ear = local.STT(engine=engine, languages=("en", "fr"), word_times=True)
    async with ear.stream() as stream:
        for samples in utterances:
            silence = np.zeros(round(PAUSE * RATE), np.int16)
            for frame in frames_of(np.concatenate([samples, silence])):
                stream.push_frame(frame)
            stream.flush()
        stream.end_input()
        finals = [
            event.alternatives[0]
            async for event in stream
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT
        ]
    await ear.aclose()
    return finals


def frames_of(samples: np.ndarray) -> list[rtc.AudioFrame]:
    """Return int16 samples at `RATE` in frames of 20 ms, as a browser sends them."""
    size = RATE // 50
    return [
        rtc.AudioFrame(part.tobytes(), RATE, 1, len(part))
        for part in (samples[at : at + size] for at in range(0, len(samples), size))
    ]


def error_rate(said: Sequence[str], heard: Sequence[str]) -> float:
    """Return the word error rate: edits per word that was said, case and punctuation ignored."""
    expected, found = _words(said), _words(heard)
    row = list(range(len(found) + 1))
    for count, word in enumerate(expected, 1):
        above, row = row, [count]
        for at, other in enumerate(found):
            row.append(min(above[at] + (word != other), above[at + 1] + 1, row[at] + 1))
    return row[-1] / len(expected)


def _words(texts: Sequence[str]) -> list[str]:
    return re.findall(r"\w+", " ".join(texts).lower())
