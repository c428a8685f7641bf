"""Telling that a decoder repeats itself."""

import zlib

from livekit.plugins.local.engine.stt.agreement import plain

# Speech has at most 5.4 tokens a second, so a decoder that wants more is looping.
_TOKENS_PER_SECOND = 6
# So many words in a row are seldom said twice on purpose; fewer are.
_PHRASE_WORDS = 3


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


def compression(text: str) -> float:
    """Return how much smaller a text becomes when compressed; repetition compresses well."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
