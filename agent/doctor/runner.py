"""Running the checks: all at once, each with a deadline, none able to stop another."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from agent.cli.main import readable_errors
from agent.doctor.check import Check
from agent.doctor.finding import Finding, fail, fail_with
from agent.settings import Settings

# Seconds for all checks together.
LIMIT = 12.5
_GOODBYE = 0.5
# How long measurements wait until the other checks have left the machine to them.
_CROWD = 4.0
# What a measurement needed for which the others left no time.
_NO_TIME = "more time"


@dataclass(frozen=True, slots=True)
class Examination:
    """What came of the checks.

    Attributes:
        findings: By check, in the order of the checks; without those that were not run.
        not_checked: The checks that were not run, each with what it needed.
        hung: Whether something did not end in time, and may hold up the end of the process.
    """

    findings: Mapping[str, Finding]
    not_checked: Mapping[str, str]
    hung: bool = False

    @property
    def healthy(self) -> bool:
        """Whether nothing failed."""
        return all(finding.level != "fail" for finding in self.findings.values())


async def examine(
    checks: Sequence[Check], settings: Settings, *, limit: float = LIMIT
) -> Examination:
    """Run the checks.

    Args:
        checks: The checks; each after those that it needs.
        settings: The settings.
        limit: Seconds for all of them together.
    """
    course = _Course(limit)
    tasks: dict[str, asyncio.Task[Finding | str]] = {}
    for check in checks:
        before = {name: tasks[name] for name in check.needs if name in tasks}
        earlier = tuple(course.measurements)
        task = asyncio.create_task(_follow(check, settings, before, earlier, course))
        tasks[check.name] = task
        (course.measurements if check.alone else course.crowd).append(task)
    _, late = await asyncio.wait(tasks.values(), timeout=limit)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=_GOODBYE)
    answers = {
        check.name: _answer(tasks[check.name], late, limit, course.had_time(check))
        for check in checks
    }
    return Examination(
        {name: each for name, each in answers.items() if isinstance(each, Finding)},
        {name: each for name, each in answers.items() if isinstance(each, str)},
        hung=bool(late or course.overdue),
    )


class _Course:
    """How the examination goes.

    Attributes:
        crowd: The checks that are no measurements.
        measurements: The others.
        overdue: Names of the checks that did not end in time.
    """

    def __init__(self, limit: float) -> None:
        """Begin.

        Args:
            limit: Seconds for all of the checks.
        """
        self._limit = limit
        self._ends = perf_counter() + limit
        self._left: dict[str, float] = {}
        self.crowd: list[asyncio.Task[Finding | str]] = []
        self.measurements: list[asyncio.Task[Finding | str]] = []
        self.overdue: list[str] = []

    def begins(self, check: Check) -> None:
        """Note that a check begins."""
        self._left[check.name] = self._ends - perf_counter()

    def had_time(self, check: Check) -> bool:
        """Tell whether the checks before it left it enough time to blame it for not ending."""
        return self._left.get(check.name, 0.0) >= min(check.deadline, self._limit / 2)

    async def until_alone(self, before: Sequence[asyncio.Task[Finding | str]]) -> None:
        """Wait until nothing else goes on: one measurement at a time, in their order."""
        if self.crowd:
            await asyncio.wait(self.crowd, timeout=_CROWD)
        if before:
            await asyncio.wait(before)


async def _follow(
    check: Check,
    settings: Settings,
    before: Mapping[str, asyncio.Task[Finding | str]],
    earlier: Sequence[asyncio.Task[Finding | str]],
    course: _Course,
) -> Finding | str:
    """Return the finding, or the name of the check without which there can be none.

    Args:
        check: The check.
        settings: The settings.
        before: What it needs.
        earlier: The measurements before it.
        course: How the examination goes.
    """
    for name, task in before.items():
        # Shielded: whoever cancels this check must not cancel the one that it waits for.
        answer = await asyncio.shield(task)
        if isinstance(answer, str):
            return answer
        if answer.level == "fail":
            return name
    if check.alone:
        await course.until_alone(earlier)
    return await _run(check, settings, course)


async def _run(check: Check, settings: Settings, course: _Course) -> Finding:
    try:
        run = await check.loaded()
        course.begins(check)
        async with asyncio.timeout(check.deadline):
            return await run(settings)
    except TimeoutError:
        course.overdue.append(check.name)
        return _late(check.deadline)
    except readable_errors() as error:
        return fail_with(str(error))
    except Exception as error:  # noqa: BLE001 - one broken check must not hide what others found
        return fail(
            f"this check failed itself ({type(error).__name__}: {error})",
            "please report it with this line",
        )


def _answer(
    task: asyncio.Task[Finding | str],
    late: set[asyncio.Task[Finding | str]],
    limit: float,
    had_time: bool,
) -> Finding | str:
    if task in late or task.cancelled():
        return _late(limit) if had_time else _NO_TIME
    return task.result()


def _late(seconds: float) -> Finding:
    return fail(
        f"nothing came of it within {seconds:.2g} s",
        "see the log of that part, and whether the machine is busy",
    )
