"""``eloquence status``: asking the parts of a running Eloquence, or listening to them."""

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from agent.readiness import Component
from agent.readiness_feed import Feed, first
from agent.settings import Settings
from agent.up.board import NAME_WIDTH
from agent.up.gates import Report, follow, summarize
from agent.up.plan import feeds
from agent.up.progress import amount

_SILENCE = Component("not running")
# What is late at the first look is not waited for.
_ANSWER_SECONDS = 3.0


async def report(settings: Settings, *, as_json: bool) -> tuple[str, bool]:
    """Ask every part where the settings say that it listens.

    Args:
        settings: The settings.
        as_json: Whether to answer with one JSON object instead of a line per part.

    Returns:
        The answer, and whether all parts can serve.
    """
    asked = feeds(settings)
    answers = await asyncio.gather(*(_first_report(feed) for feed in asked.values()))
    return render(dict(zip(asked, answers, strict=True)), as_json=as_json)


async def show(settings: Settings, say: Callable[[str], None], *, as_json: bool) -> None:
    """Say what `report` answers, and say it again whenever it has changed, for ever.

    Args:
        settings: The settings.
        say: Takes each answer.
        as_json: See `report`.
    """
    asked = feeds(settings)
    reports: dict[str, Report] = {}
    last = ""

    async def listen(name: str, feed: Feed) -> None:
        nonlocal last
        async with aclosing(follow(feed, _SILENCE)) as told:
            async for each in told:
                reports[name] = each
                if len(reports) < len(asked):  # not before each has been heard
                    continue
                text, _ = render({name: reports[name] for name in asked}, as_json=as_json)
                if text != last:
                    last = text
                    say(text)

    async with asyncio.TaskGroup() as group:
        for name, feed in asked.items():
            group.create_task(listen(name, feed))


def render(reports: dict[str, Report], *, as_json: bool) -> tuple[str, bool]:
    """Return where the parts stand as a text, and whether all of them can serve."""
    ready = all(each.ready for each in reports.values())
    if as_json:
        parts = {name: _object(each) for name, each in reports.items()}
        return json.dumps({"ready": ready, "parts": parts}), ready
    return "\n".join(line for name, each in reports.items() for line in _lines(name, each)), ready


async def _first_report(feed: Feed) -> Report:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return summarize(await first(feed, lambda _: True), _SILENCE)
    except TimeoutError:
        return Report(_SILENCE)


def _object(report: Report) -> dict[str, Any]:
    components = {name: part.as_dict() for name, part in report.parts.items()}
    return {"ready": report.ready, "state": report.state.state, "components": components}


def _lines(name: str, report: Report) -> list[str]:
    parts = report.unfinished if report.ready else {}
    lines = [_line(name, report.state)]
    return lines + [_line(f"  {part}", component) for part, component in parts.items()]


def _line(name: str, component: Component) -> str:
    text = f"{name:<{NAME_WIDTH}}  {component.state}"
    more = ", ".join(filter(None, (amount(component), component.message)))
    return f"{text}: {more}" if more else text
