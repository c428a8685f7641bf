"""Which language a caller speaks.

A short question decoded in the wrong language comes out translated, and looks like any other. So
where the sound alone does not tell, the utterance is decoded in both languages, and what the words
look like counts as well.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from livekit.plugins.local.engine.stt.base import Request, Transcription

# Measured on two languages: from this much speech on, detection is right in 99 of 100 cases.
_SURE_SECONDS = 1.5
_SURE_PROBABILITY = 0.8
# What it takes to leave the caller's language without a look at the words.
_ENOUGH_SECONDS = 0.8
_CERTAIN_PROBABILITY = 0.98
# Measured on 324 short questions and answers in English and French, each in the other's language:
# so weighed, two are heard in the wrong one, where the sound alone took 36 for the language before.
_WORDS_WEIGHT = 4.0
# Against a language that is new in a call, in nats for each second that is missing in this one.
_RELUCTANCE = 2.0
_RELUCTANT_SECONDS = 1.0
# Words that fit the language as badly as this, in a whole utterance, are often in another one.
_MISFIT_LOGPROB = -1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A language that an utterance may be in.

    Attributes:
        language: Its two-letter code.
        probability: How probable it is by the sound, among those that are possible.
    """

    language: str
    probability: float


class CallLanguage:
    """Detected once, then kept until it stops fitting.

    Attributes:
        candidates: What it may be, most likely first.
        current: What it is taken for.
        settled: Whether it was heard clearly, so that a short word no longer changes it.
    """

    def __init__(self, candidates: Sequence[str]) -> None:
        self.candidates = tuple(candidates)
        self.current = self.candidates[0]
        self.settled = len(self.candidates) == 1

    def heard(self, heard: Transcription, speech_seconds: float) -> None:
        """Learn from a final transcript.

        Args:
            heard: What was said.
            speech_seconds: How much speech there was to judge by.
        """
        self.current = heard.language
        if len(self.candidates) == 1 or speech_seconds < _SURE_SECONDS:
            return
        if heard.avg_logprob < _MISFIT_LOGPROB:
            self.settled = False
        elif heard.language_probability >= _SURE_PROBABILITY:
            self.settled = True


def choose(scores: dict[str, float], request: Request) -> list[Choice]:
    """Return the language in which to decode, or in doubt the caller's and the likeliest other.

    Args:
        scores: The model's probability for each of its languages, as ``<|en|>``.
        request: Says which languages are possible, and which is the caller's until now.
    """
    if len(request.candidates) < 2:
        return [Choice(request.current, 1.0)]
    among = {code: scores.get(f"<|{code}|>", 0.0) for code in request.candidates}
    total = sum(among.values()) or 1.0
    best_other = max((code for code in among if code != request.current), key=among.__getitem__)
    current, other = (
        Choice(code, among.get(code, 0.0) / total) for code in (request.current, best_other)
    )
    if current.probability >= _SURE_PROBABILITY:
        return [current]
    needed = _SURE_PROBABILITY if request.draft else _CERTAIN_PROBABILITY
    enough = request.speech_seconds >= _ENOUGH_SECONDS or not request.settled
    if enough and other.probability >= needed:
        return [other]
    return [current] if request.draft else [current, other]


def evidence(heard: Transcription, request: Request) -> float:
    """Return how much speaks for the language in which words were heard, in nats."""
    weight = math.log(max(heard.language_probability, 1e-6)) + _WORDS_WEIGHT * heard.avg_logprob
    if request.settled and heard.language != request.current:
        weight -= _RELUCTANCE * max(0.0, _RELUCTANT_SECONDS - request.speech_seconds)
    return weight
