import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from agent.readiness import Readiness, fetch_readiness
from agent.up.board import Board
from agent.up.gates import Probe, Report
from agent.up.plan import Service
from agent.up.supervisor import Supervisor
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

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
        self.supervisor = Supervisor(self.board, self._count)

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


def probe_of(port: int) -> Probe:
    async def probe() -> Readiness | None:
        return await fetch_readiness(f"http://127.0.0.1:{port}")

    return probe


def stub(name: str, *args: str, needs: frozenset[str] = frozenset()) -> Service:
    port = free_port()
    argv = (sys.executable, STUB, str(port), *args)
    return Service(name, probe_of(port), f"check {name.upper()}_PORT", argv, os.environ, needs)


def script(name: str, code: str) -> Service:
    argv = (sys.executable, "-c", code)
    return Service(name, probe_of(free_port()), f"check {name.upper()}_PORT", argv, os.environ)


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


async def test_a_child_that_ends_is_reported_with_its_last_words_and_the_rest_runs() -> None:
    failing = script("bad", "import sys; print('no such device'); sys.exit(0)")
    async with supervised(failing, stub("good")) as run:
        await run.until(lambda r: bool(r.board.complaints) and ("good", "ready") in r.board.states)
        assert run.board.complaints == ["bad stopped (no such device); check BAD_PORT."]
        assert ("bad", "failed") in run.board.states
        assert run.ready == 0


async def test_a_child_s_own_sentence_is_passed_on_as_it_is() -> None:
    failing = script(
        "bad", "print('eloquence: DEVICE is odd; set it to `cpu`.'); raise SystemExit(1)"
    )
    async with supervised(failing, stub("good")) as run:
        await run.until(lambda r: bool(r.board.complaints))
        assert run.board.complaints == ["bad stopped: DEVICE is odd; set it to `cpu`."]


async def test_a_silent_death_names_the_signal() -> None:
    failing = script("bad", "import os; os.kill(os.getpid(), 9)")
    async with supervised(failing, stub("good")) as run:
        await run.until(lambda r: bool(r.board.complaints))
        assert run.board.complaints == ["bad stopped (signal 9); check BAD_PORT."]


async def test_a_program_that_cannot_be_started_is_reported() -> None:
    missing = Service("bad", probe_of(free_port()), "check BAD_BIN", ("/does/not/exist",))
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
    outside = Service("llm", probe_of(port), "start the server that LLM_BASE_URL names")
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


async def test_chatter_is_not_shown() -> None:
    service = script("livekit", r"print('t\tINFO\tnoise'); print('t\tERROR\tnews')")
    quiet = Service(
        service.name,
        service.probe,
        service.remedy,
        service.argv,
        service.env,
        chatter=re.compile(r"^\S+\tINFO\t"),
    )
    async with supervised(quiet, stub("good")) as run:
        await run.until(lambda r: bool(r.board.complaints))
        assert [text for name, text in run.board.lines if name == "livekit"] == ["t\tERROR\tnews"]


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


async def test_run_returns_when_nothing_is_left() -> None:
    run = Run()
    async with asyncio.timeout(15):
        await run.supervisor.run([script("a", ""), script("b", "")])
    assert len(run.board.complaints) == 2
