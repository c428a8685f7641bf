"""What is made of pauses and of ends, and what follows for the delays.

A pause cuts a caller off when it is longer than the delay that its sound and the words before it
bring; an end keeps a caller waiting for that delay. Both follow from the verdicts, so that any
delays can be judged without playing a call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from livekit.local_inference import EOT

from agent.bench.corpus import RATE
from agent.bench.pauses.set import PAUSES, Breath
from agent.call.turn_taking import Endpointing
from agent.caller.onset import Pcm

# The framework asks after so much silence, and lets it hear so much.
_ASKED_AFTER = 0.2
_HEARD_SECONDS = 1.2


Delays = Callable[[str, float | None], Endpointing]
"""Return what to wait after these words, which are so complete."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of the words of one speech.

    Attributes:
        begun: The transcript until the pause.
        whole: That of the whole.
        complete: How complete the language model takes these two for, or None for each.
    """

    begun: str
    whole: str
    complete: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How sure the detector is that the turn is over, and what the recogniser has heard.

    Attributes:
        name: Which speech.
        pause: The detector at its pause, in [0, 1].
        end: And at its end.
        begun: The words until the pause.
        whole: All words.
        complete: How complete the language model takes these two for, or None for each.
    """

    name: str
    pause: float
    end: float
    begun: str = ""
    whole: str = ""
    complete: tuple[float | None, float | None] = (None, None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What delays and a threshold bring.

    Attributes:
        cut_off: Share of the pauses that end the turn.
        wait_mean: Mean delay at the ends, in seconds.
        wait_p95: Their 95th percentile.
    """

    cut_off: float
    wait_mean: float
    wait_p95: float


def judge(breaths: Sequence[Breath], heard: Sequence[Heard]) -> list[Verdict]:
    """Ask the turn detector of the session about each pause and each end.

    Args:
        breaths: What is said.
        heard: What is known of the words of each.
    """
    detector = EOT()

    def ask(speech: Pcm) -> float:
        heard = np.concatenate([speech, np.zeros(round(_ASKED_AFTER * RATE), np.int16)])
        return float(detector.predict(heard[-round(_HEARD_SECONDS * RATE) :]))

    return [
        Verdict(
            each.name, ask(each.before), ask(each.sound(0.0)), said.begun, said.whole, said.complete
        )
        for each, said in zip(breaths, heard, strict=True)
    ]


def outcome(verdicts: Sequence[Verdict], delays: Delays, threshold: float) -> Outcome:
    """Return what these delays would bring; there must be a verdict.

    Args:
        verdicts: Of the detector and the recogniser.
        delays: What is waited.
        threshold: Least probability at which a turn sounds finished.
    """

    def delay(probability: float, text: str, complete: float | None) -> float:
        chosen = delays(text, complete)
        return chosen.min_delay if probability >= threshold else chosen.max_delay

    cut = [
        pause > delay(verdict.pause, verdict.begun, verdict.complete[0])
        for verdict in verdicts
        for pause in PAUSES
    ]
    waits = [delay(verdict.end, verdict.whole, verdict.complete[1]) for verdict in verdicts]
    return Outcome(float(np.mean(cut)), float(np.mean(waits)), float(np.percentile(waits, 95)))
