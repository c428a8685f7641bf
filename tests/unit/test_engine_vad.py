from typing import Any

import numpy as np
import pytest
from livekit.plugins.local.engine.stt import vad
from livekit.plugins.local.engine.stt.vad import WINDOW, VoiceActivity

pytestmark = pytest.mark.unit

SILENCE = np.zeros(WINDOW, np.float32)
LOUD = np.ones(WINDOW, np.float32)


class Drifting:
    """A model that hears less and less the longer it remembers, and at first nothing at all."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, _: None, given: dict[str, Any]) -> tuple[Any, ...]:
        self.runs += 1
        age = given["h"] + 1
        fresh = 5 < age.max() < 500
        return np.array([[given["input"].max() if fresh else 0.0]]), age, given["c"]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Drifting:
    model = Drifting()
    monkeypatch.setattr(vad, "_session", lambda: model)
    return model


def test_a_word_after_a_second_of_silence_is_heard_however_long_the_stream_is(
    model: Drifting,
) -> None:
    activity = VoiceActivity()
    for _ in range(20):
        activity.process(np.tile(LOUD, 100))
        activity.process(np.tile(SILENCE, 31))
        assert True in activity.process(np.tile(LOUD, 32))


def test_a_memory_that_drifts_in_mid_speech_costs_a_second(model: Drifting) -> None:
    missed = VoiceActivity().process(np.tile(LOUD, 2000)).count(False)
    assert missed < 5 * 32


def test_shorter_pauses_leave_the_memory_alone(model: Drifting) -> None:
    activity = VoiceActivity()
    activity.process(np.tile(LOUD, 10))
    for _ in range(5):
        activity.process(np.tile(SILENCE, 30))
        assert activity.process(LOUD) == [True]
    assert model.runs == 10 + 5 * 31


def test_in_lasting_silence_every_window_is_judged_about_twice(model: Drifting) -> None:
    activity = VoiceActivity()
    activity.process(np.tile(SILENCE, 310))
    assert model.runs == 2 * 310


@pytest.mark.parametrize("silent", [32, 40, 61, 75])
def test_speech_after_a_silence_is_judged_by_the_second_before_it(
    model: Drifting, silent: int
) -> None:
    """However long ago the memory was begun: else a recording would differ from its parts."""
    activity = VoiceActivity()
    activity.process(np.tile(LOUD, 10))
    activity.process(np.tile(SILENCE, silent))
    assert activity.process(LOUD) == [True]
    assert activity._h.max() == 31 + 1
