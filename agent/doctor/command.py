"""``eloquence doctor``."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import psutil

from agent.doctor.advice import advise
from agent.doctor.check import Check
from agent.doctor.finding import Finding, fail_with
from agent.doctor.registry import CHECKS
from agent.doctor.render import as_json, as_text
from agent.doctor.runner import examine
from agent.errors import UserError
from agent.settings import Settings, load

# A person waits for 15 seconds at most, the start of this process and its end included.
_SECONDS = 14.5
# On a machine so busy that the start alone took them.
_LEAST_SECONDS = 8.0


def run(*, json: bool) -> int:
    """Examine everything, print the report, and return the exit status: 1 if anything failed."""
    settings, checks = _settings()
    limit = max(_LEAST_SECONDS, _SECONDS - _since_start())
    with asyncio.Runner() as runner:
        examination = runner.run(examine(checks, settings, limit=limit))
        advice = advise(settings, examination.findings)
        seconds = _since_start()
        print(as_json(examination, advice, seconds) if json else as_text(examination, advice))  # noqa: T201
        status = 0 if examination.healthy else 1
        if examination.hung:
            # What hangs in a system call would hold up the end of this process too.
            sys.stdout.flush()
            os._exit(status)
    return status


def _since_start() -> float:
    """Return the seconds since this process was started; importing takes some of them."""
    return time.time() - psutil.Process().create_time()


def _settings() -> tuple[Settings, Sequence[Check]]:
    """Return the settings; if they cannot be read, checks that say so and do without them."""
    try:
        return load(), CHECKS
    except UserError as error:
        problem = fail_with(str(error))

    async def tell(_: Settings) -> Finding:
        return problem

    checks = [replace(each, run=tell) if each.name == "settings" else each for each in CHECKS]
    return Settings.model_construct(), checks
