"""A whole run of ``eloquence bench voice``: callers, turn by turn, system by system."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from agent.bench.machine import Bystanders
from agent.bench.processes import Processes
from agent.bench.voice import bare, replay_llm
from agent.bench.voice.capacity import MOST_CALLS, Capacity, expected_calls, raise_calls
from agent.bench.voice.figures import BARE, OURS, Costs, System, VoiceTurn
from agent.bench.voice.report import Report, about
from agent.bench.voice.script import Line, speak_questions, take_clips
from agent.bench.voice.stack import Log, MoreServices, VoiceStack, livekit_url, run_stack
from agent.caller.call import CallFailed, CallOptions, place_call
from agent.caller.report import CallReport
from agent.livekit.config import LOOPBACK
from agent.livekit.keys import server_keys
from agent.ports import spare_port
from agent.readiness_feed import asked_of, told_by
from agent.settings import ENV_FILE_READ, Settings
from agent.up.plan import Service

# Short calls, so that what the machine does at a time falls on both systems alike.
_TURNS_AT_ONCE = 4
_STAGGER_SECONDS = 1.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure: the options of the command.

    Attributes:
        answer_seconds: A turn without an answer by then is missed.
    """

    settings: Settings
    calls: int = 1
    turns: int = 12
    language: str = "en"
    folder: Path | None = None
    baseline: bool = False
    running: bool = False
    replay: bool = False
    find_capacity: bool = False
    json_file: Path | None = None
    answer_seconds: float = 12.0
    log: Log = lambda *_: None


async def run(plan: Plan, say: Callable[[str], None]) -> Report:
    """Measure.

    Args:
        plan: What.
        say: Takes a line about the progress.

    Raises:
        APIError: The engine failed.
        UserError: Something is wrong that a person can put right.
    """
    systems = (OURS, BARE) if plan.baseline else (OURS,)
    report = Report(about(plan.settings, plan.language, plan.calls, plan.folder))
    report.systems = {name: System() for name in systems}
    if plan.replay:
        report.about["llm"] = "replayed"
    with tempfile.TemporaryDirectory(prefix="eloquence-bench-") as folder:
        async with _stack(plan, say) as stack:
            script = await _script(plan, stack, Path(folder))
            bystanders = Bystanders()
            if plan.find_capacity:
                report.capacity = await _find_capacity(plan, stack, script, say)
                report.bystanders = bystanders.share
                return report
            for at in range(0, plan.turns, _TURNS_AT_ONCE):
                size = min(_TURNS_AT_ONCE, plan.turns - at)
                for name in systems:
                    say(f"{name}: turns {at + 1} to {at + size} of {plan.turns}")
                    crowd = Crowd(stack, plan, name, plan.calls)
                    await crowd.call(script, at, size, report.systems[name])
                    report.bystanders = bystanders.share
                    if plan.json_file:
                        await asyncio.to_thread(report.write, plan.json_file)
    return report


def _stack(plan: Plan, say: Callable[[str], None]) -> AbstractAsyncContextManager[VoiceStack]:
    if plan.running:
        return nullcontext(VoiceStack(plan.settings, Processes()))
    say("starting everything")
    places: dict[str, Any] = {}
    more: list[MoreServices] = [bare_worker] if plan.baseline else []
    if plan.replay:
        port = spare_port()
        places["llm_base_url"] = f"http://{LOOPBACK}:{port}/v1"
        more.append(lambda _: [replayed_model(port, plan.language)])
    if plan.find_capacity:
        places["max_calls"] = MOST_CALLS
    return run_stack(
        plan.settings,
        lambda settings: [service for each in more for service in each(settings)],
        plan.log,
        places,
    )


async def _find_capacity(
    plan: Plan, stack: VoiceStack, script: Sequence[Line], say: Callable[[str], None]
) -> Capacity:
    found = Capacity(await expected_calls(stack.settings, llm_apart=plan.replay))

    async def call_all(calls: int) -> System:
        say(f"{calls} calls at the same time")
        system = System()
        await Crowd(stack, plan, OURS, calls).call(script, 0, plan.turns, system)
        return system

    await raise_calls(call_all, found)
    return found


async def _script(plan: Plan, stack: VoiceStack, folder: Path) -> Sequence[Line]:
    if plan.folder:
        return await asyncio.to_thread(take_clips, plan.folder, folder, plan.language)
    engine, wanted = stack.settings.engine_address, plan.calls * plan.turns
    return await speak_questions(engine, folder, plan.language, wanted)


class Crowd:
    """Callers of one system who call at the same time."""

    def __init__(self, stack: VoiceStack, plan: Plan, system: str, calls: int) -> None:
        self._stack = stack
        self._plan = plan
        self._calls = calls
        self._agent = bare.AGENT_NAME if system == BARE else stack.settings.agent_name

    async def call(self, script: Sequence[Line], at: int, size: int, system: System) -> None:
        """Let all callers say ``size`` lines of the script, from ``at`` on, and note the outcome.

        Each begins elsewhere in the script than the caller before.
        """
        processes, began = self._stack.processes, perf_counter()
        before = processes.cpu_seconds()
        async with processes.peak() as peak:
            await asyncio.gather(
                *(
                    self._one(number, _cut(script, at + number * self._plan.turns, size), system)
                    for number in range(self._calls)
                )
            )
        spent = processes.cpu_seconds()
        system.costs.append(
            Costs(
                seconds=perf_counter() - began,
                cpu_seconds={name: spent[name] - before.get(name, 0.0) for name in spent},
                megabytes=peak.added / self._calls,
            )
        )

    async def _one(self, number: int, lines: Sequence[Line], system: System) -> None:
        await asyncio.sleep(number * _STAGGER_SECONDS)
        options = CallOptions(
            wavs=[line.wav for line in lines],
            access=self._stack.access(self._agent, self._plan.language),
            answer_timeout=self._plan.answer_seconds,
            go_on=True,
        )
        try:
            report = await place_call(options)
        except CallFailed as failure:
            report = failure.report
            system.failures.append(str(failure))
        system.turns += turns_of(report, lines, number)


def turns_of(report: CallReport, lines: Sequence[Line], caller: int) -> list[VoiceTurn]:
    """Return the turns of a call; what it did not come to counts as not answered."""
    spoken = [
        VoiceTurn(
            line=line.name,
            hesitates=line.hesitates,
            caller=caller,
            latency_ms=turn.latency_ms,
            cut_off=turn.cut_off,
            asked=turn.user_transcript,
            answered=turn.agent_transcript,
            receipt=turn.receipt,
        )
        for line, turn in zip(lines, report.turns, strict=False)
    ]
    unspoken = [
        VoiceTurn(
            line=line.name,
            hesitates=line.hesitates,
            caller=caller,
            latency_ms=None,
            cut_off=False,
            asked="",
            answered="",
        )
        for line in lines[len(spoken) :]
    ]
    return spoken + unspoken


def bare_worker(settings: Settings) -> list[Service]:
    """Return the service that takes the calls of the bare agent."""
    port = spare_port()
    keys = server_keys(settings)
    env = {
        **os.environ,
        ENV_FILE_READ: "1",
        "DRAIN_SECONDS": "0",
        "AGENT_NAME": bare.AGENT_NAME,
        "WORKER_PORT": str(port),
        "LIVEKIT_URL": livekit_url(settings),
        "LIVEKIT_API_KEY": keys.key,
        "LIVEKIT_API_SECRET": keys.secret,
    }
    return [
        Service(
            BARE,
            told_by(f"http://{LOOPBACK}:{port}"),
            "see the lines above",
            (sys.executable, "-m", bare.__name__),
            env,
            needs=frozenset({"livekit"}),
        )
    ]


def replayed_model(port: int, language: str) -> Service:
    """Return the service that answers as a language model on other hardware would."""
    return Service(
        "llm",
        asked_of(f"http://{LOOPBACK}:{port}", "/v1/models"),
        "see the lines above",
        (sys.executable, "-m", replay_llm.__name__, str(port), language),
        dict(os.environ),
    )


def _cut(script: Sequence[Line], at: int, size: int) -> list[Line]:
    return [script[(at + number) % len(script)] for number in range(size)]
