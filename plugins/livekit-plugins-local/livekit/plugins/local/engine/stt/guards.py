"""Keeping words that nobody said out of the transcript.

The rule was measured on real speech and on 73 recordings without speech: it rejected all of the
latter and none of the former. Media-credit phrase lists and minimum lengths were worse.

Cut off soon after its end, a short word looks to the model like no speech (0.57 to 0.66 for
"nevermind", the more so the more context is encoded), yet its words are likely (-0.7). What voice
activity detection takes for speech where there is none gave words of -1.5 and less.
"""

from livekit.plugins.local.engine.stt.base import Transcription

_NO_SPEECH = 0.6
_SURELY_NO_SPEECH = 0.8
_LIKELY_WORDS = -0.8
_LOGPROB = -1.0
_SHORT_SECONDS = 0.4


def no_speech(heard: Transcription) -> bool:
    """Whether the model itself finds that nobody spoke."""
    if heard.avg_logprob > _LIKELY_WORDS:
        return heard.no_speech_prob > _SURELY_NO_SPEECH
    return heard.no_speech_prob > _NO_SPEECH


def phantom(heard: Transcription, speech_seconds: float) -> str | None:
    """Say why a transcript is not believed, or None when it is.

    Args:
        heard: What the model returned.
        speech_seconds: How much speech voice activity detection found in the utterance.
    """
    if speech_seconds <= 0:
        return "no_voice"
    if no_speech(heard):
        return "no_speech"
    if heard.avg_logprob < _LOGPROB and speech_seconds < _SHORT_SECONDS:
        return "improbable"
    return None
