"""Whether the processes of an Eloquence run and can serve."""

import asyncio

from agent.doctor.check import Check
from agent.doctor.finding import START, Finding, fail, ok, warn
from agent.readiness import Component
from agent.readiness_feed import first
from agent.settings import Settings
from agent.up.gates import Report, summarize
from agent.up.plan import feeds

_NOT_RUNNING = Component("not running")
_SILENT = Component("silent")
_ANSWER_SECONDS = 2.0


def part(name: str) -> Check:
    """Return the check of one part, as `eloquence status` names it."""

    async def run(settings: Settings) -> Finding:
        report = await ask(settings, name)
        state = report.state
        told = f"{state.state}: {state.message}" if state.message else state.state
        if state is _NOT_RUNNING:
            return fail(f"the {name} process is not running", START)
        if state is _SILENT:
            return fail(
                f"what listens for {name} does not answer within {_ANSWER_SECONDS:g} s",
                "stop it, and start everything again with `make run`",
            )
        if report.failed:
            return fail(told.rstrip("."), "do what it says, and start everything again")
        if not report.ready:
            return fail(told.rstrip("."), "wait until `eloquence status` says ready")
        if broken := [each for each in report.unfinished.values() if each.state == "failed"]:
            return warn(f"ready, but: {broken[0].message.rstrip('.')}", "do what it says")
        return ok(", ".join(f"{each} ready" for each in report.parts) or "ready")

    return Check(name, run, needs=("settings",))


async def ask(settings: Settings, name: str) -> Report:
    """Return where a part stands now."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            answer = await first(feeds(settings)[name], lambda _: True)
    except TimeoutError:
        return Report(_SILENT)
    return summarize(answer, _NOT_RUNNING)
