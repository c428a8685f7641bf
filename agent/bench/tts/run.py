"""A whole run of ``eloquence bench tts``."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from agent.bench.engine import Engine, run_engine
from agent.bench.machine import Bystanders
from agent.bench.tts import corpus as tts_corpus
from agent.bench.tts.figures import Figures
from agent.bench.tts.listener import LISTENERS, TIMER, find_listener
from agent.bench.tts.measure import (
    measure_by_ear,
    measure_crowd,
    measure_soak,
    measure_speed,
)
from agent.bench.tts.report import Report
from agent.bench.tts.speech import TOKENS_PER_SECOND, Speaker
from agent.bench.tts.wer import Listener
from agent.settings import Settings

VOICES = (
    ("en", "hibari/heart"),
    ("en", "kokoro/af_heart"),
    ("fr", "kokoro/ff_siwis"),
    ("en", "espeak/en-us"),
    ("fr", "espeak/fr"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure; the fields are the options of the command."""

    settings: Settings
    json_file: Path | None = None
    voices: tuple[tuple[str, str], ...] = VOICES
    rounds: int = 10
    pace: float = TOKENS_PER_SECOND
    sentences: int | None = None
    listener: str | None = None
    calls: int = 1
    utterances: int = 0
    engine: str | None = None


async def run(plan: Plan, say: Callable[[str], None]) -> Report:
    """Measure.

    Args:
        plan: What.
        say: Takes a line about the progress.

    Raises:
        APIError: The engine failed.
        UserError: Something is wrong that a person can put right.
    """
    for language, _ in plan.voices:
        tts_corpus.check(language)
    name, timer, models = "nobody", "nobody", None
    if plan.sentences != 0:
        name, judge = find_listener(plan.settings, plan.listener)
        timer, clock = find_listener(plan.settings, plan.listener or TIMER)
        models = judge, clock
        if not plan.listener and name != LISTENERS[0]:
            say(f"{name} judges; `eloquence bench listener` makes one that hears better")
    report = Report(
        {
            "device": plan.settings.device,
            "cores": psutil.cpu_count(),
            "tokens_per_second": plan.pace,
            "listener": name,
            "timer": timer,
        }
    )
    bystanders = Bystanders()
    async with run_engine(plan.settings, plan.engine) as engine:
        for language, voice in plan.voices:
            figures = Figures(voice=voice, language=language)
            report.voices.append(figures)
            await _measure(plan, engine, figures, report, say)
            report.bystanders = bystanders.share
            _save(plan, report)
        if models:
            listener = await asyncio.to_thread(Listener, *models)
            for figures in report.voices:
                say(f"{figures.voice}: what {name} hears, and {timer} times")
                speaker = Speaker(engine.address, figures.voice, figures.language)
                try:
                    await measure_by_ear(engine, speaker, listener, figures, plan.sentences)
                finally:
                    await speaker.aclose()
                _save(plan, report)
    return report


async def _measure(
    plan: Plan, engine: Engine, figures: Figures, report: Report, say: Callable[[str], None]
) -> None:
    voice = figures.voice
    speakers = [Speaker(engine.address, voice, figures.language) for _ in range(plan.calls)]
    try:
        if plan.rounds:
            say(f"{voice}: how fast it is")
            await measure_speed(engine, speakers[0], figures, rounds=plan.rounds, pace=plan.pace)
        if plan.calls > 1:
            say(f"{voice}: {plan.calls} calls at once")
            report.crowds.append(await measure_crowd(engine, speakers, pace=plan.pace))
        if plan.utterances and (
            soak := await measure_soak(engine, speakers[0], plan.utterances, say)
        ):
            report.soaks[voice] = soak
    finally:
        for speaker in speakers:
            await speaker.aclose()


def _save(plan: Plan, report: Report) -> None:
    if plan.json_file:
        report.write(plan.json_file)
