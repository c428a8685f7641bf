"""A whole run: the engine, the clips, and what else was asked for."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agent.bench import corpus, report
from agent.bench.corpus import Clip
from agent.bench.engine import run_engine
from agent.bench.stt.calls import place_calls
from agent.bench.stt.long import listen_for_long
from agent.bench.stt.measure import Measurement, measure
from agent.bench.stt.ours import Ours
from agent.bench.stt.phantoms import listen_for_phantoms
from agent.bench.stt.rows import SYSTEMS
from agent.bench.stt.synthesis import speak_corpus
from agent.errors import UserError
from agent.model_store import model_store
from agent.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure; the fields are the options of the command."""

    settings: Settings
    folder: Path | None
    json_file: Path | None = None
    calls: int = 1
    languages: list[str]
    limit: int | None = None
    systems: tuple[str, ...] = SYSTEMS
    engine: str | None = None
    detect: bool = False
    nonspeech: bool = True
    long: bool = False
    resume: bool = False

    @property
    def about(self) -> dict[str, Any]:
        """What the figures depend on."""
        return {
            "corpus": self.folder.name if self.folder else "synthesised",
            "model": self.settings.stt_model,
            "beam": self.settings.stt_beam_size,
            "device": self.settings.device,
            "cores": psutil.cpu_count(),
            "detect": self.detect,
        }


async def run(plan: Plan, say: Callable[[str], None]) -> report.Report:
    """Measure.

    Args:
        plan: What.
        say: Takes a line about the progress.

    Raises:
        APIError: The engine failed.
        UserError: Something is wrong that a person can put right.
    """
    settings = plan.settings
    model = model_store(settings).locate(settings.stt_model)
    if model is None:
        raise UserError(
            f"STT_MODEL {settings.stt_model} is not here; `eloquence models pull` fetches it."
        )
    outcome = report.Report(plan.about)
    if plan.resume and plan.json_file and await asyncio.to_thread(plan.json_file.exists):
        outcome = report.read(plan.json_file, plan.about)

    def save() -> None:
        if plan.json_file:
            outcome.write(plan.json_file)

    with tempfile.TemporaryDirectory(prefix="eloquence-bench-") as spoken:
        async with run_engine(settings, plan.engine) as engine:
            ours = Ours(engine.address, settings.languages, settings.stt_model, detect=plan.detect)
            try:
                clips = await _clips(plan, engine.address, Path(spoken))
                done = {row.clip for row in outcome.rows}
                chosen = corpus.choose(clips, plan.languages, plan.limit, done)
                await measure(
                    Measurement(engine, ours, model, plan.systems), chosen, outcome, save, say
                )
                if plan.nonspeech:
                    say("sounds without speech")
                    outcome.phantoms = await listen_for_phantoms(ours, clips, plan.languages[0])
                    save()
                for language in plan.languages if plan.long else []:
                    say(f"{language}: ten minutes as one stream")
                    if heard := await listen_for_long(ours, clips, language):
                        outcome.long[language] = heard
                        save()
                if plan.calls > 1:
                    say(f"{plan.calls} callers at once")
                    everyone = corpus.choose(clips, plan.languages, None, ())
                    outcome.calls = await place_calls(plan.calls, everyone, engine, ours, model)
                    save()
            finally:
                await ours.aclose()
    save()
    return outcome


async def _clips(plan: Plan, engine: str, spoken: Path) -> list[Clip]:
    if plan.folder is None:
        return await speak_corpus(engine, spoken, plan.languages)
    clips = await asyncio.to_thread(corpus.load_corpus, plan.folder)
    if not corpus.choose(clips, plan.languages, None, ()):
        raise UserError(
            f"--corpus {plan.folder} holds no speech in {', '.join(plan.languages)}; "
            "choose others with --languages."
        )
    return clips
