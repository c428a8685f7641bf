"""What a call was like: its turns, its figures, its sound.

Latency is the time from the end of the caller's speech (the last voiced 10 ms frame has left the
microphone's queue) to the agent's first audio (the first 10 ms frame of its speech has arrived,
decoded). One clock measures both. The figure therefore holds all that a caller waits for except
sound card and loudspeaker: Opus in both directions, the server, the agent's jitter buffer and ours,
end-of-turn detection, recognition, language model, synthesis, and silence that synthesis puts
before its first sound.

The JSON of a call (`CallReport.to_json`); times are seconds since the caller began to connect,
``null`` is what did not happen:

- ``room``: name of the room.
- ``error``: why the call ended early, one sentence, or ``null``.
- ``greeting``: ``start``, ``end``, ``transcript``; or ``null``.
- ``turns``: list of ``number``, ``user_start``, ``user_end``, ``agent_start``, ``agent_end``,
  ``latency_ms``, ``talk_over_ms`` (both spoke at once, while this turn's caller spoke),
  ``barge_in_stop_ms`` (from the start of this turn's speech, which fell into the answer before, to
  the end of that answer), ``cut_off`` (the agent began to speak before the caller was done),
  ``user_transcript``, ``agent_transcript``, ``receipt`` (the agent's account of the wait, see
  `agent.receipts.receipt`; or ``null``).
- ``latency_ms``: ``count``, ``p50``, ``p90``, ``p95``, ``max`` over the turns with an answer.
- ``instrument``: ``microphone_underruns`` and ``longest_receive_gap_ms``. When the first is not 0
  or the second is far above 10, the measuring machine was too busy to be trusted.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from agent.caller.onset import Pcm
from agent.caller.tape import Recording
from agent.receipts.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Greeting:
    """The agent's first words; times in seconds since the caller began to connect."""

    start: float
    end: float
    transcript: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of the caller and the agent's answer; see the module for the fields.

    Attributes:
        answer_audio: The answer, from `agent_start` to `agent_end`, at the rate of
            `CallReport.agent`; empty without an answer.
        receipt: What the agent says the wait was made of, if it said so.
    """

    number: int
    user_start: float
    user_end: float
    agent_start: float | None
    agent_end: float | None
    latency_ms: float | None
    talk_over_ms: float
    barge_in_stop_ms: float | None
    cut_off: bool
    user_transcript: str
    agent_transcript: str
    answer_audio: Pcm = field(repr=False, compare=False)
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds, interpolated linearly; None without a measured turn."""

    count: int
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    max: float | None = None

    @classmethod
    def of(cls, values: list[float]) -> "Latency":
        """Return the percentiles of ``values``."""
        if not values:
            return cls(0)
        return cls(len(values), *(float(np.percentile(values, q)) for q in (50, 90, 95, 100)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """One call; see the module for the fields.

    Attributes:
        origin: `time.perf_counter` at which the caller began to connect.
        agent: All that was heard of the agent.
        caller: All that the caller's microphone sent.
    """

    room: str
    origin: float
    error: str | None
    greeting: Greeting | None
    turns: list[Turn]
    microphone_underruns: int
    longest_receive_gap_ms: float
    agent: Recording
    caller: Recording

    @property
    def latency(self) -> Latency:
        """Percentiles over the turns that were answered."""
        return Latency.of([turn.latency_ms for turn in self.turns if turn.latency_ms is not None])

    def to_json(self) -> dict[str, Any]:
        """Return the report without its sound, ready for `json.dumps`."""
        return {
            "room": self.room,
            "error": self.error,
            "greeting": _rounded(asdict(self.greeting)) if self.greeting else None,
            "turns": [_turn_json(turn) for turn in self.turns],
            "latency_ms": _rounded(asdict(self.latency)),
            "instrument": {
                "microphone_underruns": self.microphone_underruns,
                "longest_receive_gap_ms": round(self.longest_receive_gap_ms, 3),
            },
        }

    def render(self) -> str:
        """Return the report as text for a terminal."""
        lines = []
        if self.greeting:
            lines += [f"greeting after {self.greeting.start:.2f} s: {self.greeting.transcript}"]
        for turn in self.turns:
            lines += _turn_lines(turn)
        latency = self.latency
        if latency.count:
            lines.append(
                f"latency over {latency.count} turns: p50 {_ms(latency.p50)}, "
                f"p90 {_ms(latency.p90)}, p95 {_ms(latency.p95)}, max {_ms(latency.max)}"
            )
        if self.microphone_underruns:
            lines.append(
                f"warning: the microphone stalled {self.microphone_underruns} times because this "
                "machine was too busy; take the figures with care"
            )
        return "\n".join(lines)


def _turn_lines(turn: Turn) -> list[str]:
    figures = [f"latency {_ms(turn.latency_ms)}"]
    if turn.agent_start is not None and turn.agent_end is not None:
        figures.append(f"answer of {turn.agent_end - turn.agent_start:.2f} s")
    if turn.talk_over_ms:
        figures.append(f"talk-over {_ms(turn.talk_over_ms)}")
    if turn.barge_in_stop_ms is not None:
        figures.append(f"barge-in stop {_ms(turn.barge_in_stop_ms)}")
    if turn.cut_off:
        figures.append("cut off")
    return [
        f"turn {turn.number}: {', '.join(figures)}",
        f"  caller: {turn.user_transcript or '(no transcript)'}",
        f"  agent:  {turn.agent_transcript or '(no transcript)'}",
    ]


def _turn_json(turn: Turn) -> dict[str, Any]:
    names = [item.name for item in fields(turn) if item.name not in ("answer_audio", "receipt")]
    body = _rounded({name: getattr(turn, name) for name in names})
    return {**body, "receipt": turn.receipt.to_json() if turn.receipt else None}


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in values.items()
    }


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:.0f} ms"
