"""How long a language model's server reads: what it tells of a few words from anything it read."""

from dataclasses import dataclass

# So many tokens at once take about as long; one takes half of that, and each of many an eighth
# (measured on two cores, where the weights come from memory for each pass).
_FEW_TOKENS = range(3, 9)
_MANY_TOKENS = 32
_SHARE_OF_ONE = 1 / 2
_SHARE_OF_MANY = 1 / 8


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading cost.

    Attributes:
        tokens: How many were new.
        seconds: How long they took.
    """

    tokens: int
    seconds: float

    @property
    def seconds_for_words(self) -> float | None:
        """What it takes to read a few words, as far as this tells."""
        if self.tokens in _FEW_TOKENS:
            return self.seconds
        if 0 < self.tokens < _FEW_TOKENS.start:
            return self.seconds / _SHARE_OF_ONE
        if self.tokens >= _MANY_TOKENS:
            return self.seconds / self.tokens / _SHARE_OF_MANY
        return None
