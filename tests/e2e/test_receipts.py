"""Every turn has a receipt, and what operators see of it is true: nothing here is a fake."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.receipts.account import unaccounted
from agent.receipts.receipt import Receipt, parse_receipt
from tests.support.calls import converse
from tests.support.prometheus import ROOT, Prometheus, run_prometheus
from tests.support.stack import Stack

pytestmark = pytest.mark.e2e

Say = Callable[[str, str], np.ndarray]

DASHBOARD = ROOT / "docker" / "grafana" / "dashboards" / "eloquence.json"
# What a bench holds to 20 ms on a quiet machine.
GENEROUS_MS = 150.0
WORK_SECONDS = 0.05
STAGES = {"uplink", "vad", "turn", "stt", "llm", "clause", "tts", "packet", "output"}


async def test_receipts_log_metrics_dashboard_and_alerts_tell_the_same(
    stack: Stack, say: Say, tmp_path: Path
) -> None:
    worker = f"127.0.0.1:{stack.env['WORKER_PORT']}"
    targets = {"eloquence-worker": worker, "eloquence-engine": worker}
    turns = [
        say("What is the capital of France?", "en"),
        say("Quelle est la capitale de l'Espagne ?", "fr"),
        say("How many legs does a spider have?", "en"),
    ]
    logged, counted = len(receipts(stack)), await count(worker)
    blocked = blocks(stack)
    with run_prometheus(tmp_path, targets) as prometheus:
        await prometheus.waits_for(set(targets))
        report = await converse(stack.page_url, tmp_path, turns)
        await until_logged(stack, logged + len(turns))
        await queries_return_data(prometheus)
        await rules_are_evaluated(prometheus)

    assert await count(worker) - counted == len(turns)
    for turn, line in zip(report.turns, receipts(stack)[logged:], strict=True):
        receipt = turn.receipt
        assert receipt, turn
        assert receipt.to_json() == line.to_json()
        assert receipt.heard
        assert {stage.name for stage in receipt.stages} == STAGES
        assert turn.latency_ms is not None
        assert abs(unaccounted(receipt, turn.latency_ms)) < GENEROUS_MS, (turn, receipt)
        assert receipt.total == pytest.approx(turn.latency_ms, abs=1)
    languages = [each.receipt.language for each in report.turns if each.receipt]
    assert languages == ["en", "fr", "en"], [each.user_transcript for each in report.turns]
    # No work on the event loop of a call that would hold up its sound.
    assert blocks(stack) == blocked


def receipts(stack: Stack) -> list[Receipt]:
    found = [line.partition(" receipt=")[2] for line in list(stack.lines)]
    return [parse_receipt(json.JSONDecoder().raw_decode(text)[0]) for text in found if text]


def blocks(stack: Stack) -> list[str]:
    """Return what the framework's loop monitor told of work on an event loop.

    It tells of all that held a loop up for 0.1 s. Where the loop's thread was computing for a small
    part of that alone, other processes had the machine.
    """
    told = [line for line in list(stack.lines) if "event loop blocked" in line]
    computing = (re.search(r" cpu_time=([\d.]+)", line) for line in told)
    return [
        line
        for line, match in zip(told, computing, strict=True)
        if match is None or float(match[1]) >= WORK_SECONDS
    ]


async def until_logged(stack: Stack, number: int) -> None:
    async with asyncio.timeout(30):
        while len(receipts(stack)) < number:
            await asyncio.sleep(0.1)


async def count(worker: str) -> float:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{worker}/metrics") as answer,
    ):
        families = text_string_to_metric_families(await answer.text())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "eloquence_turns_total"
    )


async def queries_return_data(prometheus: Prometheus) -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = {
        target["expr"]: panel["title"] for panel in panels for target in panel.get("targets", ())
    }
    assert len(queries) > 20
    waiting = dict(queries)
    # A rate needs two scrapes, one of them after the call.
    async with asyncio.timeout(30):
        while waiting:
            for expression in list(waiting):
                if await has_data(prometheus, expression.replace("$__rate_interval", "1m")):
                    del waiting[expression]
            await asyncio.sleep(0.5 if waiting else 0)


async def has_data(prometheus: Prometheus, expression: str) -> bool:
    return any(series["value"][1] != "NaN" for series in await prometheus.query(expression))


async def rules_are_evaluated(prometheus: Prometheus) -> None:
    rules = await prometheus.rules()
    assert len(rules) >= 9
    for rule in rules:
        assert rule["health"] == "ok", rule
        measured = re.sub(r"\s(==|>=|>|<)\s[\d.]+$", "", rule["query"])
        assert measured != rule["query"]
        shorter = re.sub(r"\[\d+m\]", "[1m]", measured)
        assert await has_data(prometheus, shorter), rule["name"]
        assert rule["state"] != "firing", rule
