"""The recogniser of `moonshine-voice`, with its real weights, in the engine."""

import numpy as np
import pytest
from livekit.plugins.local.engine.device import Device
from livekit.plugins.local.engine.stt.base import Samples
from livekit.plugins.local.engine.stt.registry import LoadedModel, ModelContext, family_of

from tests.support.speech import RATE, Speaker, resample

pytestmark = pytest.mark.e2e

MODEL = "moonshine-tiny-en"


@pytest.fixture(scope="module")
def ear() -> LoadedModel:
    return family_of(MODEL).load(ModelContext(MODEL, None, Device("cpu", 0, "int8"), 2, "auto"))


def spoken(speaker: Speaker, text: str) -> Samples:
    audio = resample(speaker.say(text, "en"), RATE, 16_000)
    # In a call there is some silence around what was said.
    return np.pad(audio.astype(np.float32) / np.float32(32768), 1_600)


@pytest.mark.parametrize("text", ["Is the front door locked?", "Please turn off the lights."])
def test_it_hears_what_is_said(ear: LoadedModel, speaker: Speaker, text: str) -> None:
    heard = ear.transcribe(spoken(speaker, text), current="en", candidates=["en"], beam_size=5)
    assert heard.text == text


def test_long_speech_is_heard_to_its_end(ear: LoadedModel, speaker: Speaker) -> None:
    sentence = "The weather in Lisbon is sunny today."
    audio = np.tile(np.concatenate([spoken(speaker, sentence), np.zeros(8_000, np.float32)]), 7)
    heard = ear.transcribe(audio[: 28 * 16_000], current="en", candidates=["en"], beam_size=5)
    assert heard.text.count("Lisbon") >= 6
