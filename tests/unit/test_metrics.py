"""What the worker counts is what is in its log, whatever becomes of the jobs."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from livekit.plugins.local.readiness import Component, Readiness
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from agent.logs import parse_json_line
from agent.logs import setup as set_up_logs
from agent.metrics.routes import add_metrics
from agent.metrics.turns import TurnMetrics, count_receipts
from agent.metrics.worker import WorkerCollector, worker_registry
from agent.receipts.receipt import RECEIPTS_LOGGER, Receipt, Speculation, Stage
from agent.settings import Settings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
# Jobs as the framework runs them, by its own means: each logs through a socket to the worker. Every
# third is killed in the middle of what it does, the others end by themselves.
PROGRAM = """
import itertools, logging, multiprocessing, os, signal, socket, sys

def job(line, turns, killed):
    from livekit.agents.ipc.log_queue import LogQueueHandler
    from livekit.agents.utils.aio import duplex_unix
    import agent.receipts.recorder
    from agent.receipts.receipt import RECEIPTS_LOGGER, Receipt, Stage
    handler = LogQueueHandler(duplex_unix._Duplex.open(line))
    logging.getLogger().addHandler(handler)
    for turn in itertools.count(1) if killed else range(1, turns + 1):
        receipt = Receipt(
            turn=turn, language="en", answered=True, heard=False, begin=0.0, end=1500.0,
            stages=(Stage("llm", 100.0, 1400.0),), broke="llm",
        )
        logging.getLogger(RECEIPTS_LOGGER).info(
            "turn %d", turn, extra={"receipt": receipt.to_json(), "ignored": {"late": 1}}
        )
        if killed and turn >= turns:
            os.kill(os.getpid(), signal.SIGKILL)
    handler.close()

def main():
    from livekit.agents.ipc.log_queue import LogQueueListener
    from livekit.agents.utils.aio import duplex_unix
    from prometheus_client import CollectorRegistry, generate_latest
    from agent import logs
    from agent.metrics.turns import TurnMetrics, count_receipts
    from agent.settings import Settings

    logs.setup(Settings(log_format="json"), "worker")
    registry = CollectorRegistry()
    count_receipts(TurnMetrics(registry))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["livekit.agents", "agent.receipts.recorder"])
    running = []
    def finish(process, listener):
        generate_latest(registry)  # scraped while jobs die
        process.join()
        listener.stop()
    for number in range(12):
        here, there = socket.socketpair()
        listener = LogQueueListener(duplex_unix._Duplex.open(here), lambda record: None)
        listener.start()
        process = context.Process(target=job, args=(there, 13, number % 3 == 0))
        process.start()
        there.close()
        running.append((process, listener))
        if len(running) == 3:  # jobs come while others go
            finish(*running.pop(0))
    for each in running:
        finish(*each)
    sys.stdout.buffer.write(generate_latest(registry))

if __name__ == "__main__":
    main()
"""


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, receipts = logging.getLogger(), logging.getLogger(RECEIPTS_LOGGER)
    before = root.handlers[:], root.level, receipts.handlers[:]
    yield
    root.handlers[:], root.level, receipts.handlers[:] = before


def value(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


async def test_the_counts_are_the_turns_in_the_log_after_jobs_were_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        program,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        metrics, log = (stream.decode() for stream in await process.communicate())
    lines = [parsed for line in log.splitlines() if (parsed := parse_json_line(line))]
    turns = sum("receipt" in line["fields"] for line in lines)
    # All of those that ended by themselves, and what the others got rid of in time.
    assert 8 * 13 <= turns <= 12 * 13, log
    assert value(metrics, "eloquence_turns_total", outcome="late") == turns
    assert value(metrics, "eloquence_budget_misses_total", stage="llm") == turns
    assert value(metrics, "eloquence_turn_seconds_count") == turns
    assert value(metrics, "eloquence_caller_reports_ignored_total", reason="late") == turns


def receipt(**changed: object) -> Receipt:
    values = {
        "turn": 1,
        "language": "en",
        "answered": True,
        "heard": True,
        "begin": -30.0,
        "end": 900.0,
        "stages": (Stage("stt", 0.0, 310.0),),
        "speculation": Speculation(asked=3, kept=True),
    }
    return Receipt(**{**values, **changed})  # type: ignore[arg-type]


def log(receipt: Receipt) -> None:
    logging.getLogger(RECEIPTS_LOGGER).info("turn", extra={"receipt": receipt.to_json()})


def test_turns_are_counted_when_the_disk_for_the_log_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stderr", full)
        set_up_logs(Settings(), "worker")
        registry = CollectorRegistry()
        count_receipts(TurnMetrics(registry))
        for _ in range(100):
            log(receipt())
        monkeypatch.undo()
        assert registry.get_sample_value(
            "eloquence_turns_total", {"language": "en", "outcome": "in_time"}
        ) == pytest.approx(100)
        logging.getLogger().handlers.clear()
        with contextlib.suppress(OSError):  # what was not written is lost
            full.close()


def test_turns_are_counted_when_their_lines_are_not_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs(Settings(log_level="WARNING"), "worker")
    registry = CollectorRegistry()
    count_receipts(TurnMetrics(registry))
    log(receipt())
    log(receipt(end=None, heard=False, stages=()))
    assert capsys.readouterr().err == ""
    for outcome in ("in_time", "unanswered"):
        labels = {"language": "en", "outcome": outcome}
        assert registry.get_sample_value("eloquence_turns_total", labels) == 1
    wasted = registry.get_sample_value("eloquence_speculation_total", {"outcome": "wasted"})
    assert wasted == 4
    assert registry.get_sample_value(
        "eloquence_turn_stage_seconds_bucket", {"stage": "stt", "le": "0.4"}
    )


def test_reasons_that_we_did_not_give_make_no_series() -> None:
    registry = CollectorRegistry()
    metrics = TurnMetrics(registry)
    metrics.count_ignored({"late": 2, "x" * 100: 5})
    reasons = [
        sample.labels["reason"]
        for family in registry.collect()
        if family.name == "eloquence_caller_reports_ignored"
        for sample in family.samples
        if sample.name.endswith("_total")
    ]
    assert sorted(reasons) == ["implausible", "late", "malformed", "no_clock", "too_many"]


async def test_the_worker_serves_its_own_metrics_and_passes_the_engines_on(
    tmp_path: Path,
) -> None:
    async def engines(_: web.Request) -> web.Response:
        return web.Response(text="eloquence_engine_streams 2\n")

    readiness = Readiness(["engine", "llm"], needs=["engine"])
    readiness.set("engine", Component("loading"))
    collector = WorkerCollector(readiness, calls=lambda: 2, max_calls=4, load=lambda: 0.5)
    app = web.Application()
    add_metrics(app, worker_registry(collector), f"unix:{tmp_path}/engine.sock")
    async with TestClient(TestServer(app)) as client:
        text = await (await client.get("/metrics")).text()
        assert value(text, "eloquence_active_calls") == 2
        assert value(text, "eloquence_load") == 0.5
        assert (
            value(
                text,
                "eloquence_worker_component",
                component="engine",
                eloquence_worker_component="loading",
            )
            == 1
        )
        answer = await client.get("/metrics/engine")
        assert answer.status == 502

        engine = web.Application()
        engine.router.add_get("/metrics", engines)
        runner = web.AppRunner(engine)
        await runner.setup()
        await web.UnixSite(runner, f"{tmp_path}/engine.sock").start()
        answer = await client.get("/metrics/engine")
        assert (answer.status, await answer.text()) == (200, "eloquence_engine_streams 2\n")
        await runner.cleanup()
