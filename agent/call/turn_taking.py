"""When a caller is taken to be done: by the sound of a pause, and by the words before it.

The answer is written while the caller pauses, and its first clause is spoken, so that a wait up to
what that takes costs nothing. How long to wait is told best by whether the words are complete, as
the language model sees it (`agent.llm.completeness`). Where it cannot tell, the turn detector says
of each pause whether it sounds like an end: if so the turn ends when the pause has lasted
``min_delay``, else when it has lasted ``max_delay``. Words after which nobody stops (an article,
"and", a comma) ask for more patience in any case, and so does a long utterance to which the
recogniser gave no full stop. Words are known once the transcript is, which the framework waits for.
Where answers take longer than a pause that sounds like an end, its turn may end that much later.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from livekit.agents import (
    AgentSession,
    LanguageCode,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    inference,
)
from livekit.agents.voice.turn import EndpointingOptions

from agent.llm.completeness import COMPLETE


@dataclass(frozen=True, slots=True)
class Endpointing:
    """How long to wait in a pause, in seconds.

    Attributes:
        min_delay: When it sounds like an end.
        max_delay: When it does not.
    """

    min_delay: float
    max_delay: float

    def options(self) -> EndpointingOptions:
        """Return it in the framework's form."""
        return EndpointingOptions(min_delay=self.min_delay, max_delay=self.max_delay)


# Fitted on recorded speech with pauses in mid-sentence: bench/RESULTS.md has what others bring.
_DELAYS: Mapping[str, Endpointing] = {
    "en": Endpointing(0.7, 1.0),
    "fr": Endpointing(0.7, 1.2),
}
_OTHER_DELAYS = Endpointing(0.7, 1.5)
# How sure the detector must be where its own choice cuts too many off.
_THRESHOLDS: dict[LanguageCode | str, float] = {"fr": 0.36}
_HANGING = Endpointing(1.3, 1.8)
"""After words that ask for more."""

# From so complete on, in falling order: the wait.
_BY_COMPLETENESS = ((COMPLETE, 0.5), (0.1, 0.9), (0.0, 1.2))
# The next answer may be there a little sooner than the last ones.
_MARGIN = 0.1
# "Yes" and "Why" begin more sentences than they are.
_TOO_FEW_WORDS = 2

_Words = Mapping[str, frozenset[str]]


def _words(**languages: str) -> _Words:
    return {language: frozenset(words.split()) for language, words in languages.items()}


# To what was cut off after one of these a recogniser gives a full stop as well.
_HANGING_WORDS = _words(
    en="a an the my your his her our their this these those of to in at on for from with by about "
    "and or but because so if when that which who whose i'm it's um uh er hmm like",
    fr="un une le la les l' du des de d' au aux mon ma mes ton ta tes son sa ses notre nos votre "
    "vos leur leurs ce cet cette ces à en dans sur pour par avec sans chez et ou mais donc car que "
    "qui dont si quand comme je tu il elle on nous vous ils elles euh heu hum",
)
# "He was." may be all.
_HANGING_VERBS = _words(
    en="is are was were be am will would can could should do does did have has had",
    fr="est sont était sera",
)
_LAST_WORD = re.compile(r"([^\W\d_]+(?:['’][^\W\d_]+)*['’]?)\W*$")
_HANGING_MARKS = (",", "…", "...", "-", "–", "—", ":")
_FULL_STOP = re.compile(r"[.?!]\W*$")
# Commands of a few words are often written without a full stop, though they are complete.
_WORDS_OF_A_SENTENCE = 6


class Detector(inference.TurnDetector):
    """The local turn detector, as it is used here."""

    def __init__(self) -> None:
        # Named on purpose: the default may choose a hosted service.
        super().__init__(version="v1-mini", unlikely_threshold=_THRESHOLDS)

    def _warn_threshold_override(self) -> None:
        """Do not warn in each call of what is meant; the hosted service would have its own."""


def delays(
    language: str,
    text: str = "",
    *,
    punctuated: bool = False,
    completeness: float | None = None,
) -> Endpointing:
    """Return how long to wait in a pause.

    Args:
        language: Two-letter code of what is spoken.
        text: What has been said, as far as it is known.
        punctuated: Whether the recogniser ends sentences with a full stop.
        completeness: How likely a sentence ends here, in [0, 1]; None if that is not known.
    """
    if hangs(language, text, punctuated=punctuated):
        return _HANGING
    few = has_full_stop(text) and len(text.split()) <= _TOO_FEW_WORDS
    if completeness is not None and not few:
        wait = next(wait for least, wait in _BY_COMPLETENESS if completeness >= least)
        return Endpointing(wait, wait)
    return _DELAYS.get(language, _OTHER_DELAYS)


def hangs(language: str, text: str, *, punctuated: bool = False) -> bool:
    """Return whether the last words ask for more; see `delays`."""
    text = text.rstrip()
    if text.endswith(_HANGING_MARKS):
        return True
    stopped = has_full_stop(text)
    if punctuated and not stopped and len(text.split()) >= _WORDS_OF_A_SENTENCE:
        return True
    found = _LAST_WORD.search(text)
    if not found or text.endswith("?"):
        return False
    last = found[1].lower().replace("’", "'")
    hanging = _HANGING_WORDS.get(language, frozenset())
    return last in hanging or (not stopped and last in _HANGING_VERBS.get(language, ()))


def has_full_stop(text: str) -> bool:
    """Return whether a text ends as a sentence does."""
    return bool(_FULL_STOP.search(text))


def unhurried(chosen: Endpointing, answer: float) -> Endpointing:
    """Return delays that wait for an answer that is not there any sooner, which costs nothing.

    Args:
        chosen: The delays by the words.
        answer: Seconds from the end of speech until there is one.
    """
    free = min(answer - _MARGIN, chosen.max_delay)
    return Endpointing(max(chosen.min_delay, free), chosen.max_delay)


def verdict_pays(language: str, answer: float) -> bool:
    """Return whether an answer may be there sooner if it is known how complete the words are.

    Args:
        language: What is spoken.
        answer: Seconds from the end of speech until there is one.
    """
    return answer - _MARGIN < delays(language).max_delay


def follow_words(
    session: AgentSession[None],
    language: str,
    completeness: Callable[[], float | None],
    answer: Callable[[], float],
) -> None:
    """Let what a session hears decide how long it waits.

    Args:
        session: The session.
        language: What is spoken at first.
        completeness: Tells how complete the last words are; see `delays`.
        answer: Tells how long an answer takes; see `unhurried`.
    """
    spoken, punctuated = language, False

    def wait(chosen: Endpointing) -> None:
        session.update_options(endpointing_opts=unhurried(chosen, answer()).options())

    @session.on("user_state_changed")
    def _begin(event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            wait(delays(spoken))

    @session.on("user_input_transcribed")
    def _hear(event: UserInputTranscribedEvent) -> None:
        nonlocal spoken, punctuated
        if event.is_final:
            spoken = event.language.language if event.language else spoken
            # Not every recogniser does: what it has done once in this call it can.
            punctuated = punctuated or has_full_stop(event.transcript)
            chosen = delays(
                spoken, event.transcript, punctuated=punctuated, completeness=completeness()
            )
            wait(chosen)
