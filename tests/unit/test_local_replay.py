"""Audio kept for the case that the connection to the engine is lost."""

import pytest
from livekit.plugins.local.replay import UnansweredAudio

pytestmark = pytest.mark.unit


def test_replays_audio_and_flushes_in_the_order_they_were_sent() -> None:
    audio = UnansweredAudio()
    audio.add(b"one.")
    first = audio.flush()
    audio.add(b"two.")
    second = audio.flush()
    audio.add(b"six.")
    assert list(audio.replay()) == [b"one.", first, b"two.", second, b"six."]


def test_an_answered_flush_and_its_audio_are_forgotten() -> None:
    audio = UnansweredAudio()
    audio.add(b"old.")
    answered = audio.flush()
    audio.add(b"new.")
    pending = audio.flush()
    audio.answered(answered)
    assert list(audio.replay()) == [b"new.", pending]
    assert audio.flush_pending
    audio.answered(pending)
    assert list(audio.replay()) == []
    assert not audio.flush_pending


def test_hours_of_silence_do_not_pile_up() -> None:
    audio = UnansweredAudio()
    for _ in range(100):
        audio.add(bytes(2 * 16_000 * 2))
    assert audio.seconds == 60


def test_audio_before_a_pending_flush_is_never_cut() -> None:
    audio = UnansweredAudio()
    audio.add(b"word")
    number = audio.flush()
    for _ in range(100):
        audio.add(bytes(2 * 16_000 * 2))
    assert list(audio.replay())[:2] == [b"word", number]
