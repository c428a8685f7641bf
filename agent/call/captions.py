"""Captions that follow the voice, without work on a call's event loop."""

from livekit import rtc
from livekit.agents.voice.transcription._speaking_rate import SpeakingRateStream


def spare_rate_estimate() -> None:
    """Let captions follow the words' own times alone, in this process.

    For voices that do not tell when a word is said, the framework estimates the rate of speech from
    the sound: some 80 Fourier transforms for every 0.1 s of it, on the event loop and without a
    break over all that is there, so that a clause that arrives at once holds the call up for 0.1 s
    and more. Our voices tell (``use_tts_aligned_transcript``); where one does not, captions go by
    the number of syllables.
    """
    SpeakingRateStream.push_frame = _ignore  # type: ignore[method-assign]


def _ignore(self: SpeakingRateStream, frame: rtc.AudioFrame) -> None:
    """Take a frame and do nothing with it."""
