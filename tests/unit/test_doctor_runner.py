"""The checks run side by side; none can hang, stop or repeat another."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from agent.doctor.check import Check, blocking, in_daemon
from agent.doctor.finding import Finding, fail, ok
from agent.doctor.runner import examine
from agent.errors import UserError
from agent.settings import Settings
from tests.support.doctor import settings

pytestmark = pytest.mark.unit

Run = Callable[[Settings], Awaitable[Finding]]


async def good(_: Settings) -> Finding:
    return ok("fine")


async def bad(_: Settings) -> Finding:
    return fail("broken", "mend it")


async def hang(_: Settings) -> Finding:
    await asyncio.sleep(3600)
    raise AssertionError


def raising(error: Exception) -> Run:
    async def run(_: Settings) -> Finding:
        raise error

    return run


@pytest.mark.parametrize(
    ("run", "found", "remedy"),
    [
        (raising(UserError("The key is odd; correct it.")), "The key is odd", "correct it"),
        (raising(ZeroDivisionError("by zero")), "ZeroDivisionError: by zero", "report it"),
        (hang, "nothing came of it within 0.05 s", "the log"),
        (blocking(lambda _: 1 / 0), "ZeroDivisionError", "report it"),  # type: ignore[arg-type,return-value]
    ],
)
async def test_a_check_that_breaks_is_one_line_and_the_others_go_on(
    run: Run, found: str, remedy: str
) -> None:
    done = await examine([Check("x", run, deadline=0.05), Check("y", good)], settings())
    assert done.findings["x"].level == "fail"
    assert found in done.findings["x"].found
    assert remedy in done.findings["x"].remedy
    assert done.findings["y"] == ok("fine")
    assert not done.healthy


async def test_what_needs_a_failed_check_is_not_run_and_says_so() -> None:
    checks = [
        Check("x", bad),
        Check("y", good, ("x",)),
        Check("z", good, ("y",)),
    ]
    done = await examine(checks, settings())
    assert list(done.findings) == ["x"]
    assert done.not_checked == {"y": "x", "z": "x"}


async def test_all_of_it_ends_in_time_even_if_a_check_ignores_its_deadline() -> None:
    stubborn = threading.Event()

    async def run(_: Settings) -> Finding:
        return await in_daemon(lambda: ok(str(stubborn.wait(30))))

    done = await examine([Check("x", run, deadline=30), Check("y", good)], settings(), limit=0.1)
    stubborn.set()
    assert "within 0.1 s" in done.findings["x"].found
    assert done.hung
    assert done.findings["y"].level == "ok"


async def test_measurements_have_the_machine_for_themselves() -> None:
    running = most = 0

    async def measure(_: Settings) -> Finding:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return ok("measured")

    checks = [Check(name, measure, alone=True) for name in "abc"]
    done = await examine(checks, settings())
    assert done.healthy
    assert most == 1


async def test_measurements_wait_until_the_other_checks_are_over() -> None:
    over = asyncio.Event()

    async def work(_: Settings) -> Finding:
        await asyncio.sleep(0.05)
        over.set()
        return ok("done")

    async def measure(_: Settings) -> Finding:
        return ok("measured") if over.is_set() else fail("disturbed", "wait")

    done = await examine([Check("a", measure, alone=True), Check("b", work)], settings())
    assert done.healthy


async def test_measurements_keep_their_order_whatever_they_need() -> None:
    """A call leaves work behind that would disturb what is measured after it."""
    order: list[str] = []

    def measure(name: str) -> Run:
        async def run(_: Settings) -> Finding:
            order.append(name)
            return ok("measured")

        return run

    async def slow(_: Settings) -> Finding:
        await asyncio.sleep(0.05)
        return ok("slow")

    checks = [
        Check("slow", slow),
        Check("first", measure("first"), ("slow",), alone=True),
        Check("second", measure("second"), alone=True),
    ]
    assert (await examine(checks, settings())).healthy
    assert order == ["first", "second"]


async def test_a_measurement_for_which_no_time_is_left_is_not_called_a_fault() -> None:
    checks = [Check("slow", hang, alone=True, deadline=30), Check("next", good, alone=True)]
    done = await examine(checks, settings(), limit=0.1)
    assert list(done.findings) == ["slow"]
    assert done.not_checked == {"next": "more time"}


async def test_a_measurement_that_the_others_left_too_little_time_is_not_called_a_fault() -> None:
    async def most(_: Settings) -> Finding:
        await asyncio.sleep(0.3)
        return ok("done")

    checks = [Check("most", most, alone=True), Check("next", hang, alone=True, deadline=0.3)]
    done = await examine(checks, settings(), limit=0.5)
    assert list(done.findings) == ["most"]
    assert done.not_checked == {"next": "more time"}


async def test_what_a_check_needs_is_imported_only_then() -> None:
    late = Check("x", "no.such.module:check", needs=("y",))
    assert (await examine([Check("y", bad), late], settings())).not_checked == {"x": "y"}
    done = await examine([Check("y", good), late], settings())
    assert "No module named 'no'" in done.findings["x"].found


async def test_other_checks_run_side_by_side() -> None:
    barrier = asyncio.Barrier(3)

    async def meet(_: Settings) -> Finding:
        await barrier.wait()
        return ok("met")

    done = await examine([Check(name, meet, deadline=5) for name in "abc"], settings())
    assert done.healthy
