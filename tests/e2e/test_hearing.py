"""Whisper with its weights: batches, words and their times, key terms, silence."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.local.engine.device import Device
from livekit.plugins.local.engine.stt.base import Request, Samples
from livekit.plugins.local.engine.stt.guards import phantom
from livekit.plugins.local.engine.stt.vad import WINDOW, VoiceActivity
from livekit.plugins.local.engine.stt.whisper import WhisperRecogniser

from tests.support.speech import RATE, Speaker, resample

pytestmark = pytest.mark.e2e

SENTENCES = [
    ("en", "What is the weather like in Paris today?"),
    ("fr", "Bonjour, je voudrais réserver une table pour deux personnes."),
    ("en", "Please turn off the lights in the kitchen and close the door."),
    ("fr", "Merci."),
]


@pytest.fixture(scope="module")
def ear(models: Callable[[str], Path]) -> WhisperRecogniser:
    path = models("whisper-base")
    return WhisperRecogniser(path, name="whisper-base", device=Device("cpu", 0, "int8"), threads=2)


@pytest.fixture(scope="module")
def requests(speaker: Speaker) -> list[Request]:
    return [request(speaker.say(text, language)) for language, text in SENTENCES]


def request(spoken: np.ndarray) -> Request:
    audio = resample(spoken, RATE, 16_000).astype(np.float32) / np.float32(32768)
    return Request(audio, voiced(audio), "en", ("en", "fr"), beam_size=5)


def voiced(audio: Samples) -> float:
    return sum(VoiceActivity().process(audio)) * WINDOW / 16_000


def test_a_batch_hears_what_each_would_have_heard_alone(
    ear: WhisperRecogniser, requests: list[Request]
) -> None:
    assert len({ear.batch_key(request) for request in requests}) == 1
    together = ear.transcribe_batch(requests)
    alone = [ear.transcribe_batch([request])[0] for request in requests]
    assert [heard.text for heard in together] == [heard.text for heard in alone]
    assert [heard.language for heard in together] == [language for language, _ in SENTENCES]


def test_words_have_times_within_the_audio_and_make_up_the_text(
    ear: WhisperRecogniser, requests: list[Request]
) -> None:
    for request_ in requests:
        (heard,) = ear.transcribe_batch([replace(request_, words=True)])
        assert " ".join(word.text for word in heard.words) == heard.text
        times = [time for word in heard.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert 0 <= times[0] <= times[-1] <= len(request_.audio) / 16_000 + 0.02
        assert all(0 < word.confidence <= 1 for word in heard.words)


def test_a_key_term_is_spelled_as_it_was_given(ear: WhisperRecogniser, speaker: Speaker) -> None:
    spoken = request(speaker.say("My name is Siobhan Eloquence.", "en"))
    (heard,) = ear.transcribe_batch([replace(spoken, keyterms=("Siobhan", "Eloquence"))])
    assert "Siobhan" in heard.text


@pytest.mark.parametrize("noise", ["silence", "hiss", "hum"])
def test_what_is_no_speech_gives_no_transcript(ear: WhisperRecogniser, noise: str) -> None:
    time = np.arange(3 * 16_000) / 16_000
    audio = {
        "silence": np.zeros(len(time)),
        "hiss": 0.02 * np.random.default_rng(1).standard_normal(len(time)),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * time),
    }[noise].astype(np.float32)
    (heard,) = ear.transcribe_batch([Request(audio, 0.0, "en", ("en",))])
    assert phantom(heard, voiced(audio))
