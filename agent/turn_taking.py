"""When a caller is taken to be done: by the sound of a pause, and by the words before it.

The turn detector says of each pause whether it sounds like an end. If so the turn ends when the
pause has lasted ``min_delay``, else when it has lasted ``max_delay``. The answer is written
meanwhile and its first clause is spoken, so that a delay up to what that takes costs nothing.
Words after which nobody stops (an article, "and", a comma) ask for more patience, whatever it
sounds like; they are known once the transcript is, which the framework waits for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from livekit.agents import (
    AgentSession,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)
from livekit.agents.voice.turn import EndpointingOptions


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


_DELAYS: Mapping[str, Endpointing] = {
    "en": Endpointing(0.5, 1.0),
    "fr": Endpointing(0.6, 1.2),
}
_OTHER_DELAYS = Endpointing(0.5, 1.5)
_HANGING = Endpointing(1.3, 1.8)
"""After words that ask for more."""
_HANGING_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "a an the my your his her our their this these those of to in at on for from with by "
        "about and or but because so if when that which who whose is are was were be am will would "
        "can could should do does did have has had i'm it's um uh er hmm like",
        "fr": "un une le la les l' du des de d' au aux mon ma mes ton ta tes son sa ses notre nos "
        "votre vos leur leurs ce cet cette ces à en dans sur pour par avec sans chez et ou mais "
        "donc car que qui dont si quand comme est sont était sera je tu il elle on nous vous ils "
        "elles euh heu hum",
    }.items()
}
_LAST_WORD = re.compile(r"([^\W\d_]+(?:['’][^\W\d_]+)*['’]?)\W*$")
_HANGING_MARKS = (",", "…", "...", "-", "–", "—", ":")


def delays(language: str, text: str = "") -> Endpointing:
    """Return how long to wait in a pause.

    Args:
        language: Two-letter code of what is spoken.
        text: What has been said, as far as it is known.
    """
    return _HANGING if hangs(language, text) else _DELAYS.get(language, _OTHER_DELAYS)


def hangs(language: str, text: str) -> bool:
    """Return whether the last words ask for more."""
    text = text.rstrip()
    if text.endswith(_HANGING_MARKS):
        return True
    found = _LAST_WORD.search(text)
    if not found or text.endswith("?"):
        return False
    last = found[1].lower().replace("’", "'")
    return last in _HANGING_WORDS.get(language, ())


def follow_words(session: AgentSession[None], language: str) -> None:
    """Let what a session hears decide how long it waits; the session begins in ``language``."""
    spoken = language

    @session.on("user_state_changed")
    def _begin(event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            session.update_options(endpointing_opts=delays(spoken).options())

    @session.on("user_input_transcribed")
    def _hear(event: UserInputTranscribedEvent) -> None:
        nonlocal spoken
        if event.is_final:
            spoken = event.language.language if event.language else spoken
            chosen = delays(spoken, event.transcript)
            session.update_options(endpointing_opts=chosen.options())
