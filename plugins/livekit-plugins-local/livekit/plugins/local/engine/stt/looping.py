"""Telling that a decoder repeats itself."""

import zlib

# Speech has at most 5.4 tokens a second, so a decoder that wants more is looping.
_TOKENS_PER_SECOND = 6


def token_limit(seconds: float) -> int:
    """Return how many tokens an utterance can have at most."""
    return 8 + round(_TOKENS_PER_SECOND * seconds)


def compression(text: str) -> float:
    """Return how much smaller a text becomes when compressed; repetition compresses well."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
