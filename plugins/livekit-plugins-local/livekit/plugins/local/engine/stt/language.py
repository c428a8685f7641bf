"""Which language a caller speaks."""

from collections.abc import Sequence

from livekit.plugins.local.engine.stt.base import Request, Transcription

# Measured on two languages: from this much speech on, detection is right in 99 of 100 cases.
_SURE_SECONDS = 1.5
_SURE_PROBABILITY = 0.8
# What it takes to leave a language that has been heard clearly: seconds and probability. Not more:
# a short question decoded in the wrong language comes out translated, and looks like any other.
_OTHER = ((0.8, 0.8), (1.25, 0.6))
# Words that fit the language as badly as this, in a whole utterance, are often in another one.
_MISFIT_LOGPROB = -1.0


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


def choose(scores: dict[str, float], request: Request) -> tuple[str, float]:
    """Return the language in which to decode, and how probable it is among the candidates.

    Args:
        scores: The model's probability for each of its languages, as ``<|en|>``.
        request: Says which languages are possible, and which is to be kept in doubt.
    """
    if len(request.candidates) < 2:
        return request.current, 1.0
    among = {code: scores.get(f"<|{code}|>", 0.0) for code in request.candidates}
    total = sum(among.values()) or 1.0
    best = max(among, key=lambda code: among[code])
    probability = among[best] / total
    seconds = request.speech_seconds
    if request.settled:
        other = any(seconds >= least and probability >= sure for least, sure in _OTHER)
    else:
        other = seconds >= _SURE_SECONDS or probability >= _SURE_PROBABILITY
    if other or best == request.current:
        return best, probability
    return request.current, among.get(request.current, 0.0) / total
