import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import psutil
import pytest
from rich.console import Console

from agent.readiness_feed import Feed, told_by
from agent.up.backoff import Backoff
from agent.up.board import Board
from agent.up.gates import Report
from agent.up.plan import Service
from agent.up.server_lines import quiet
from agent.up.supervisor import Supervisor
from agent.worker.redispatch import Calls
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

# Where the stub of that name listens, which also tells its process from others.
PORTS: dict[str, int] = {}
STUB = str(Path(__file__).parent / "up_stub.py")


class Recorder(Board):
    """A board that remembers and can be waited for."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self.states: list[tuple[str, str]] = []
        self.lines: list[tuple[str, str]] = []
        self.complaints: list[str] = []

    def show(self, name: str, report: Report) -> None:
        self.states.append((name, report.state.state))

    def line(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def complain(self, sentence: str) -> None:
        self.complaints.append(sentence)


class Run:
    """A supervisor at work."""

    def __init__(self) -> None:
        self.board = Recorder()
        self.ready = 0
        self.supervisor = Supervisor(self.board, self._count, Backoff(first=0.02, longest=0.05))

    def _count(self) -> None:
        self.ready += 1

    async def until(self, condition: Callable[["Run"], bool]) -> None:
        async with asyncio.timeout(15):
            while not condition(self):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def supervised(*services: Service) -> AsyncIterator[Run]:
    run = Run()
    work = asyncio.create_task(run.supervisor.run(services))
    try:
        yield run
    finally:
        work.cancel()
        await asyncio.wait({work})
        await run.supervisor.stop()


def feed_of(port: int) -> Feed:
    return told_by(f"http://127.0.0.1:{port}")


def stub(name: str, *args: str, needs: frozenset[str] = frozenset()) -> Service:
    port = PORTS[name] = free_port()
    argv = (sys.executable, STUB, str(port), *args)
    return Service(name, feed_of(port), f"check {name.upper()}_PORT", argv, os.environ, needs)


def script(name: str, code: str) -> Service:
    argv = (sys.executable, "-c", code)
    return Service(name, feed_of(free_port()), f"check {name.upper()}_PORT", argv, os.environ)


class RecordedCalls:
    def __init__(self) -> None:
        self.steps: list[str] = []

    async def dismiss(self, *, at_once: bool = False) -> None:
        self.steps.append("dismiss at once" if at_once else "dismiss")

    async def recall(self) -> None:
        self.steps.append("recall")


def process_of(run: Run, name: str) -> psutil.Process:
    """Return the process that serves ``name`` now, the only one of its kind."""
    port = PORTS[name]
    (process,) = [p for p in psutil.Process().children() if str(port) in p.cmdline()]
    return process


def answer(path: Path, status: int, **component: object) -> None:
    """Replace what a stub answers, in one step."""
    body = {"ready": status == 200, "components": {"part": component} if component else {}}
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps([status, body]))
    fresh.replace(path)


async def test_ready_is_told_once_when_everything_is() -> None:
    async with supervised(stub("a"), stub("b")) as run:
        await run.until(lambda r: r.ready > 0)
        assert ("a", "ready") in run.board.states
        assert ("b", "ready") in run.board.states
        assert run.ready == 1
        assert run.board.complaints == []


async def test_a_service_starts_only_when_what_it_needs_is_ready(tmp_path: Path) -> None:
    state = tmp_path / "state"
    answer(state, 503, state="loading")
    base = stub("base", str(state))
    async with supervised(base, stub("top", needs=frozenset({"base"}))) as run:
        await run.until(lambda r: ("base", "loading") in r.board.states)
        assert run.board.states.count(("top", "waiting")) == 1
        assert ("top", "starting") not in run.board.states
        answer(state, 200)
        await run.until(lambda r: r.ready > 0)
        states = run.board.states
        assert states.index(("base", "ready")) < states.index(("top", "starting"))


async def test_a_child_that_ends_is_reported_with_its_last_words_and_started_again() -> None:
    failing = script("bad", "import sys; print('no such device'); sys.exit(0)")
    async with supervised(failing, stub("good")) as run:
        await run.until(
            lambda r: len(r.board.complaints) > 2 and ("good", "ready") in r.board.states
        )
        again = "bad stopped (no such device); check BAD_PORT. It is started again in"
        assert run.board.complaints[:3] == [f"{again} {pause} s." for pause in (0.02, 0.04, 0.05)]
        assert ("bad", "failed") in run.board.states
        assert run.ready == 0


async def test_a_child_that_says_itself_why_it_cannot_run_is_left_alone() -> None:
    failing = script(
        "bad", "print('eloquence: DEVICE is odd; set it to `cpu`.'); raise SystemExit(1)"
    )
    async with supervised(failing, stub("good")) as run:
        await run.until(lambda r: ("good", "ready") in r.board.states)
        await run.until(lambda r: bool(r.board.complaints))
        assert run.board.complaints == ["bad stopped: DEVICE is odd; set it to `cpu`."]


async def test_a_silent_death_names_the_signal() -> None:
    failing = script("bad", "import os; os.kill(os.getpid(), 9)")
    async with supervised(failing, stub("good")) as run:
        await run.until(lambda r: bool(r.board.complaints))
        assert run.board.complaints[0].startswith("bad stopped (signal 9); check BAD_PORT.")


async def test_a_killed_child_comes_back_while_its_dependants_run_on() -> None:
    async with supervised(stub("base"), stub("top", needs=frozenset({"base"}))) as run:
        await run.until(lambda r: r.ready > 0)
        base, top = (process_of(run, name) for name in ("base", "top"))
        base.kill()
        await run.until(lambda r: r.board.states.count(("base", "ready")) == 2)
        assert process_of(run, "base").pid != base.pid
        assert top.is_running()
        assert len(run.board.complaints) == 1
        assert run.ready == 1


async def test_calls_are_brought_back_after_a_death_and_not_at_the_start() -> None:
    calls = RecordedCalls()
    service = dataclasses.replace(stub("worker"), calls=cast(Calls, calls))
    async with supervised(service) as run:
        await run.until(lambda r: r.ready > 0)
        assert calls.steps == []
        process_of(run, "worker").kill()
        await run.until(lambda _: "recall" in calls.steps)
        # Once more, because somebody may have called meanwhile.
        assert calls.steps == ["dismiss at once", "dismiss", "recall"]


async def test_a_successor_takes_over_when_it_is_ready_and_brings_back_the_calls() -> None:
    others = psutil.Process().children(recursive=True)
    calls = RecordedCalls()
    service = dataclasses.replace(stub("worker"), calls=cast(Calls, calls))
    async with supervised(service) as run:
        await run.until(lambda r: r.ready > 0)
        old = process_of(run, "worker")
        assert await run.supervisor.replace(service)
        assert calls.steps == ["dismiss", "recall"]
        assert not old.is_running()
        assert process_of(run, "worker").pid != old.pid
        assert run.board.complaints == []
    assert set(psutil.Process().children(recursive=True)) <= set(others)


async def test_a_successor_that_fails_leaves_the_old_one_serving() -> None:
    service = stub("worker")
    async with supervised(service) as run:
        await run.until(lambda r: r.ready > 0)
        old = process_of(run, "worker")
        broken = script("worker", "raise NameError('x is not defined')")
        assert not await run.supervisor.replace(broken)
        assert old.is_running()
        assert len(run.board.complaints) == 1
        assert "NameError: x is not defined" in run.board.complaints[0]
        assert "goes on" in run.board.complaints[0]


async def test_a_successor_that_cannot_be_started_is_named() -> None:
    service = stub("worker")
    async with supervised(service) as run:
        await run.until(lambda r: r.ready > 0)
        missing = dataclasses.replace(service, argv=("/does/not/exist",))
        assert not await run.supervisor.replace(missing)
        assert "does not start (No such file or directory)" in run.board.complaints[0]


async def test_a_replacement_that_is_called_off_leaves_one_process() -> None:
    service = stub("worker")
    async with supervised(service) as run:
        await run.until(lambda r: r.ready > 0)
        old = process_of(run, "worker")
        slow = script("worker", "import time; print('loading', flush=True); time.sleep(60)")
        replacing = asyncio.create_task(run.supervisor.replace(slow))
        await run.until(lambda r: ("worker", "loading") in r.board.lines)
        replacing.cancel()
        await asyncio.wait({replacing})
        assert process_of(run, "worker").pid == old.pid


async def test_a_successor_revives_a_service_that_could_not_run() -> None:
    failing = script("worker", "print('eloquence: LANGUAGES is odd.'); raise SystemExit(1)")
    good = stub("worker")
    async with supervised(dataclasses.replace(failing, feed=good.feed), stub("web")) as run:
        await run.until(lambda r: bool(r.board.complaints) and ("web", "ready") in r.board.states)
        assert await run.supervisor.replace(good)
        await run.until(lambda r: ("worker", "ready") in r.board.states)


async def test_a_program_that_cannot_be_started_is_reported() -> None:
    missing = Service("bad", feed_of(free_port()), "check BAD_BIN", ("/does/not/exist",))
    async with supervised(missing, stub("good")) as run:
        await run.until(lambda r: bool(r.board.complaints) and ("good", "ready") in r.board.states)
        assert run.board.complaints == [
            "bad does not start (No such file or directory); check BAD_BIN."
        ]


async def test_a_failure_that_a_service_reports_is_told_once_and_may_pass(tmp_path: Path) -> None:
    state = tmp_path / "state"
    answer(state, 503, state="failed", message="LIVEKIT_API_KEY is refused.")
    async with supervised(stub("worker", str(state))) as run:
        await run.until(lambda r: bool(r.board.complaints))
        answer(state, 503, state="failed", message="LIVEKIT_API_KEY is refused.", done=1)
        await run.until(lambda r: r.board.states.count(("worker", "failed")) == 2)
        assert run.board.complaints == ["LIVEKIT_API_KEY is refused."]
        answer(state, 200)
        await run.until(lambda r: r.ready > 0)


async def test_an_outside_service_that_does_not_answer_is_reported_until_it_does() -> None:
    port = free_port()
    outside = Service("llm", feed_of(port), "start the server that LLM_BASE_URL names")
    async with supervised(outside, stub("web")) as run:
        await run.until(lambda r: bool(r.board.complaints) and ("web", "ready") in r.board.states)
        assert run.board.complaints == [
            "llm does not answer; start the server that LLM_BASE_URL names."
        ]
        assert run.ready == 0
        server = await asyncio.create_subprocess_exec(sys.executable, STUB, str(port))
        try:
            await run.until(lambda r: r.ready > 0)
        finally:
            server.terminate()
            await server.wait()


async def test_what_is_not_worth_showing_is_not_shown() -> None:
    service = script("livekit", r"print('t\tINFO\tnoise'); print('t\tERROR\tnews')")
    async with supervised(dataclasses.replace(service, tidy=quiet), stub("good")) as run:
        await run.until(lambda r: bool(r.board.complaints))
        shown = {text for name, text in run.board.lines if name == "livekit"}
        assert shown == {"t\tERROR\tnews"}


async def test_stop_ends_first_who_needs_others_and_leaves_no_process() -> None:
    base = stub("base")
    others = psutil.Process().children(recursive=True)
    async with supervised(base, stub("top", needs=frozenset({"base"}))) as run:
        await run.until(lambda r: r.ready > 0)
        children = [
            child for child in psutil.Process().children(recursive=True) if child not in others
        ]
        assert len(children) == 2
    assert run.board.lines[-2:] == [("top", "stopping"), ("base", "stopping")]
    assert psutil.wait_procs(children, timeout=5)[1] == []
    assert run.board.complaints == []


async def test_run_returns_when_nothing_can_run() -> None:
    run = Run()
    hopeless = "print('eloquence: no.'); raise SystemExit(1)"
    async with asyncio.timeout(15):
        await run.supervisor.run([script("a", hopeless), script("b", hopeless)])
    assert len(run.board.complaints) == 2
