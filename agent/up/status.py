"""``eloquence status``: asking the parts of a running Eloquence."""

import asyncio
import dataclasses
import json
from typing import Any

from agent.readiness import Component
from agent.settings import Settings
from agent.up.board import NAME_WIDTH
from agent.up.gates import Report, summarize
from agent.up.plan import probes

_SILENCE = Component("not running")


async def report(settings: Settings, *, as_json: bool) -> tuple[str, bool]:
    """Ask every part where the settings say that it listens.

    Args:
        settings: The settings.
        as_json: Whether to answer with one JSON object instead of a line per part.

    Returns:
        The answer, and whether all parts can serve.
    """
    asked = probes(settings)
    answers = await asyncio.gather(*(probe() for probe in asked.values()))
    reports = {
        name: summarize(answer, _SILENCE) for name, answer in zip(asked, answers, strict=True)
    }
    ready = all(each.ready for each in reports.values())
    if as_json:
        parts = {name: _object(each) for name, each in reports.items()}
        return json.dumps({"ready": ready, "parts": parts}), ready
    return "\n".join(_line(name, each) for name, each in reports.items()), ready


def _object(report: Report) -> dict[str, Any]:
    components = {name: dataclasses.asdict(part) for name, part in report.parts.items()}
    return {"ready": report.ready, "state": report.state.state, "components": components}


def _line(name: str, report: Report) -> str:
    text = f"{name:<{NAME_WIDTH}}  {report.state.state}"
    return f"{text}: {report.state.message}" if report.state.message else text
