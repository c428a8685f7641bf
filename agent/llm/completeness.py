"""Whether what somebody has said is complete, as far as a language model can tell.

After "Can you name one animal" the model expects more words, after "Can you name one animal that
lives in the sea" the end of a sentence. So the probability that a mark that ends a sentence, or
the end of the message, comes next tells how complete the words are. The marks that a recogniser
wrote are left out: it ends most pauses with one.

What is measured for it is in ``bench/RESULTS.md``, *Pauses in mid-sentence*.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

COMPLETE = 0.5
"""From so complete on words are taken to be all that is said."""

_MARKS = re.compile(r"[\s.?!…。？！]+$")
_ENDS = frozenset({"", ".", "?", "!", "。", "？", "！"})
# What a model writes at the end of a message, such as <|im_end|> or </s>.
_CONTROL = re.compile(r"<[^<>\s]+>")


def without_end(text: str) -> str:
    """Return a text without the marks that end its last sentence."""
    return _MARKS.sub("", text)


def shares(likely: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return tokens with their probabilities, of OpenAI's ``top_logprobs``.

    Raises:
        ValueError: It is something else.
    """
    try:
        return {str(each["token"]): math.exp(each["logprob"]) for each in likely}
    except (LookupError, TypeError, OverflowError) as error:
        raise ValueError("the server does not tell what is likely") from error


def completeness(follows: Mapping[str, float]) -> float:
    """Return how likely it is that a sentence ends here, in [0, 1].

    Args:
        follows: The tokens that are likely to follow, with their probabilities.
    """
    return min(1.0, sum(share for token, share in follows.items() if _ends(token)))


def _ends(token: str) -> bool:
    return token.strip() in _ENDS or bool(_CONTROL.fullmatch(token.strip()))
