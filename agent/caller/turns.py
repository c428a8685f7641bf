"""From what happened in a call to the figures of its turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

import numpy as np

from agent.caller.ear import Ear
from agent.caller.microphone import Spoken
from agent.caller.onset import FRAME
from agent.caller.report import Greeting, Turn
from agent.caller.transcripts import TranscriptLog
from agent.receipts.receipt import Receipt

Span = tuple[float, float]
"""Start and end of some speech, by `time.perf_counter`."""


@dataclass(slots=True)
class Exchange:
    """One turn as it happened.

    Attributes:
        spoken: What the caller said.
        answer: Index of the agent's speech with which the answer starts; None: there was none yet.
    """

    spoken: Spoken
    answer: int | None = None


class FindReceipt(Protocol):
    """Returns the receipt of a turn, by when the caller stopped and heard the answer."""

    def __call__(self, *, stopped: float, heard: float | None) -> Receipt | None:
        """Return it; the times are those of `time.perf_counter`."""


@dataclass(frozen=True, slots=True)
class Voices:
    """Who is who in the transcripts."""

    caller: str
    agent: str


def first_answer(
    ear: Ear, spoken: Spoken, speaks_through: Callable[[float, float], bool]
) -> int | None:
    """Return the index of the agent's speech that answers an utterance, if there is one yet.

    Args:
        ear: What was heard so far.
        spoken: The utterance.
        speaks_through: Tells whether the agent, by its own account, never stopped to speak from one
            time to another; the next sentence of an answer that the caller failed to interrupt is
            no answer to the interruption.
    """
    for index, (start, _) in enumerate(agent_spans(ear)):
        if start > spoken.end and not speaks_through(spoken.start, start):
            return index
    return None


def find_greeting(
    exchanges: Sequence[Exchange], ear: Ear, log: TranscriptLog, voices: Voices, origin: float
) -> Greeting | None:
    """Return what the agent said before the caller spoke, if anything."""
    until = exchanges[0].spoken.start if exchanges else inf
    spans = [span for span in agent_spans(ear) if span[0] < until]
    if not spans:
        return None
    text = log.text(voices.agent, 0.0, until)
    return Greeting(spans[0][0] - origin, spans[-1][1] - origin, text)


def _none(*, stopped: float, heard: float | None) -> Receipt | None:
    return None


def find_turns(
    exchanges: Sequence[Exchange],
    ear: Ear,
    log: TranscriptLog,
    voices: Voices,
    *,
    origin: float,
    pause: float,
    receipt: FindReceipt = _none,
) -> list[Turn]:
    """Return the turns of a call.

    Args:
        exchanges: The turns as they happened.
        ear: What was heard.
        log: What was understood.
        voices: Who is who in ``log``.
        origin: Start of the call; the turns' times count from here.
        pause: Silence, in seconds, that an answer may contain.
        receipt: Finds the agent's receipts.
    """
    spans = agent_spans(ear)
    turns: list[Turn] = []
    before_end = -inf
    for index, exchange in enumerate(exchanges):
        spoken, first = exchange.spoken, exchange.answer
        following = exchanges[index + 1] if index + 1 < len(exchanges) else None
        until = following.spoken.start if following else inf
        agent_start = agent_end = latency = None
        audio = np.empty(0, np.int16)
        if first is not None:
            last = last_of_answer(spans, first, until, pause)
            agent_start, agent_end = spans[first][0], spans[last][1]
            latency = (agent_start - spoken.end) * 1000
            audio = ear.tape.cut(ear.speech[first].start, ear.speech[last].end)
        stop = (before_end - spoken.start) * 1000 if before_end > spoken.start else None
        turns.append(
            Turn(
                number=index + 1,
                user_start=spoken.start - origin,
                user_end=spoken.end - origin,
                agent_start=None if agent_start is None else agent_start - origin,
                agent_end=None if agent_end is None else agent_end - origin,
                latency_ms=latency,
                talk_over_ms=overlap(spoken.speech(), spans) * 1000,
                barge_in_stop_ms=stop,
                cut_off=any(spoken.start < start < spoken.end for start, _ in spans),
                user_transcript=log.text(voices.caller, spoken.start, until),
                agent_transcript=log.text(voices.agent, spoken.start, until),
                answer_audio=audio,
                receipt=receipt(
                    stopped=spoken.end, heard=None if first is None else spans[first][0]
                ),
            )
        )
        before_end = -inf if agent_end is None else agent_end
    return turns


def agent_spans(ear: Ear) -> list[Span]:
    """Return when the agent spoke."""
    return [(ear.start(segment), ear.end(segment)) for segment in ear.speech]


def last_of_answer(spans: Sequence[Span], first: int, until: float, pause: float) -> int:
    """Return the index of the last span of an answer.

    Args:
        spans: The agent's speech.
        first: Index of the span with which the answer starts.
        until: When the caller spoke next. Speech that starts after it belongs to the answer only
            if it goes on after a silence shorter than ``pause``; so does an answer that the caller
            fails to interrupt.
        pause: Silence, in seconds.
    """
    last = first
    for index in range(first + 1, len(spans)):
        start = spans[index][0]
        if start >= until and start - spans[last][1] >= pause:
            break
        last = index
    return last


def overlap(one: Sequence[Span], other: Sequence[Span]) -> float:
    """Return for how many seconds both spoke at once."""
    shared = (
        min(end, other_end) - max(start, other_start) + FRAME
        for start, end in one
        for other_start, other_end in other
        if start <= other_end and other_start <= end
    )
    return sum(shared, 0.0)
