"""Telling that a decoder repeats itself."""

import zlib
from collections.abc import Sequence

from livekit.plugins.local.engine.stt.agreement import plain

# Speech has at most 5.4 tokens a second, so a decoder that wants more is looping.
_TOKENS_PER_SECOND = 6
# So many words in a row are seldom said twice on purpose; fewer are.
_PHRASE_WORDS = 3
# So many tokens said again are no accident, and what is said at first has so many a second.
_AGAIN_TOKENS = 4
_LEAST_TOKENS_PER_SECOND = 2


def token_limit(seconds: float) -> int:
    """Return how many tokens an utterance can have at most."""
    return 8 + round(_TOKENS_PER_SECOND * seconds)


def repeats(text: str) -> bool:
    """Whether a text ends in words just said: a phrase twice, or a word or two thrice."""
    words = plain(text).split()
    return any(
        words[-length:] * times == words[-length * times :]
        for length in range(1, len(words) // 2 + 1)
        for times in (2 if length >= _PHRASE_WORDS else 3,)
        if len(words) >= length * times
    )


def said_once(tokens: Sequence[int], speech_seconds: float) -> int:
    """Return how many tokens to keep of a text that was said once and written again and again.

    All of them, unless so much cannot have been said in the time.

    Args:
        tokens: What the decoder wrote.
        speech_seconds: How much speech voice activity detection found in the utterance.
    """
    least, most = round(_LEAST_TOKENS_PER_SECOND * speech_seconds), token_limit(speech_seconds)
    written = len(tokens)
    if written > most:
        for kept in range(1, min(most, written - _AGAIN_TOKENS) + 1):
            again = tokens[kept:]
            if any(again == tokens[kept - period : -period] for period in range(1, kept + 1)):
                return kept if kept >= least else written
    return written


def compression(text: str) -> float:
    """Return how much smaller a text becomes when compressed; repetition compresses well."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
