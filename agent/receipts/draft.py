"""From the instants of a turn to its receipt."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.receipts.budget import broken_by
from agent.receipts.observer import Turn
from agent.receipts.receipt import STAGES, Echo, Receipt, Speculation, Stage, StageName


@dataclass(frozen=True, slots=True)
class Report:
    """Something that the caller noticed.

    Attributes:
        at: When, in seconds of the observer's clock.
        error: How far off that may be, in seconds.
        said: When, as the caller said it: milliseconds of its own clock.
    """

    at: float
    error: float
    said: float


def draft(
    turn: Turn,
    budget: Mapping[str, float],
    *,
    stopped: Report | None = None,
    heard: Report | None = None,
) -> Receipt:
    """Return the receipt of a turn.

    Args:
        turn: What the agent observed.
        budget: What was allowed, as `agent.receipts.budget.budget_of` gives it.
        stopped: When the caller stopped to speak, by its own word.
        heard: When the caller heard the first sound of the answer.
    """
    stages = _stages(turn, stopped, heard)
    end = heard.at if heard else turn.packet
    begin = _ms(stopped.at, turn) if stopped else 0.0
    finish = None if end is None else _ms(end, turn)
    errors = [each.error for each in (stopped, heard) if each]
    reply = turn.reply
    return Receipt(
        turn=turn.number,
        language=turn.language,
        answered=turn.packet is not None,
        heard=heard is not None,
        begin=begin,
        end=finish,
        stages=stages,
        speculation=Speculation(
            asked=sum(each.asked < turn.decided for each in turn.replies),
            kept=reply is not None and reply.asked < turn.decided,
        ),
        budget=budget,
        broke=broken_by(stages, None if finish is None else finish - begin, budget),
        clock_error=max(errors) * 1000 if errors else None,
        echo=Echo(stopped.said if stopped else None, heard.said if heard else None),
    )


def _stages(turn: Turn, stopped: Report | None, heard: Report | None) -> tuple[Stage, ...]:
    reply = turn.reply
    observed: dict[StageName, tuple[float | None, float | None]] = {
        "uplink": (stopped.at if stopped else None, turn.ended),
        "vad": (turn.ended, turn.voice_ended),
        "turn": (turn.ended if turn.voice_ended is None else turn.voice_ended, turn.decided),
        "stt": (turn.ended, turn.understood),
        "llm": (reply.asked, reply.token) if reply else (None, None),
        "clause": (reply.given, reply.clause) if reply else (None, None),
        # A voice that does not tell when it begins has no stage before.
        "tts": (reply.clause or reply.given, reply.audio) if reply else (None, None),
        "packet": (reply.audio, turn.packet) if reply else (None, None),
        "output": (turn.packet, heard.at if heard else None),
    }
    stages = []
    for name in STAGES:
        start, end = observed[name]
        if start is not None and end is not None:
            # A transcript may be complete before the last sound has died away.
            stages.append(Stage(name, _ms(start, turn), _ms(max(start, end), turn)))
    return tuple(stages)


def _ms(at: float, turn: Turn) -> float:
    return (at - turn.ended) * 1000
