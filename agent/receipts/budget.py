"""What a turn may take, and which stage took too long."""

from collections.abc import Mapping, Sequence

from agent.receipts.receipt import Stage, StageName
from agent.settings import Settings


def budget_of(settings: Settings) -> dict[str, float]:
    """Return the milliseconds allowed in all (``total``) and to stages."""
    return {
        "total": float(settings.budget_total_ms),
        "stt": float(settings.budget_stt_ms),
        "llm": float(settings.budget_llm_ms),
        "tts": float(settings.budget_tts_ms),
        "output": float(settings.budget_output_ms),
    }


def broken_by(
    stages: Sequence[Stage], total: float | None, budget: Mapping[str, float]
) -> StageName | None:
    """Return the stage that exceeded its time most, if the turn as a whole took too long.

    Args:
        stages: The stages of the turn.
        total: Milliseconds that it took; None without an answer.
        budget: What was allowed, as `budget_of` gives it.
    """
    if total is None or total <= budget["total"]:
        return None
    excess = _excess({each.name: each for each in stages}, budget)
    return max(excess, key=lambda name: excess[name], default=None)


def _excess(
    stages: Mapping[StageName, Stage], budget: Mapping[str, float]
) -> dict[StageName, float]:
    """Return by how much each stage was over its time; below zero, it was not."""
    over: dict[StageName, float] = {}
    decided = stages["turn"].end if "turn" in stages else 0.0
    if uplink := stages.get("uplink"):
        over["uplink"] = uplink.duration - budget["output"]
    transcript = stages.get("stt")
    if transcript:
        over["stt"] = transcript.duration - budget["stt"]
    if "turn" in stages:
        # It is decided while the transcript is made, and not without it.
        over["turn"] = decided - max(budget["stt"], transcript.end if transcript else 0.0)
    if llm := stages.get("llm"):
        clause = stages.get("clause")
        over["llm"] = llm.duration + (clause.duration if clause else 0.0) - budget["llm"]
    if tts := stages.get("tts"):
        over["tts"] = tts.duration - budget["tts"]
    if output := stages.get("output"):
        packet = stages.get("packet")
        # Audio that is made early waits for the end of the turn, which is not its fault.
        held = packet.end - max(packet.start, min(decided, packet.end)) if packet else 0.0
        over["output"] = held + output.duration - budget["output"]
    return over
