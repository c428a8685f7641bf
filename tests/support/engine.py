"""The real engine server with a deterministic voice and ear in place of the models."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from aiohttp import web
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.scheduler import Scheduler
from livekit.plugins.local.engine.server import SPEECH, add_routes
from livekit.plugins.local.engine.stt.base import Samples as Heard
from livekit.plugins.local.engine.stt.base import Transcription
from livekit.plugins.local.engine.stt.stream import Recogniser
from livekit.plugins.local.engine.tts.base import Cancellation, Samples
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.readiness import Readiness

SECONDS_PER_WORD = 0.1


class ToneVoice:
    """Says every word as 0.1 s of tone, in chunks of one word.

    Attributes:
        spoken: The clauses that were begun.
        error: Raised instead of the next audio.
        hang: While set, no audio comes; cancelling ends the wait.
        cancelled: Set when a clause was cancelled.
    """

    name = "tone"
    sample_rate = 24_000
    version = "1"

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.error: EngineError | None = None
        self.hang = False
        self.hang_after_words: int | None = None
        self.cancelled = threading.Event()

    def voices(self) -> dict[str, frozenset[str]]:
        return {"a": frozenset({"en", "fr"})}

    def load(self) -> None:
        pass

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        self.spoken.append(text)
        words = text.split()
        for at, _ in enumerate(words):
            if self.error:
                raise self.error
            if self.hang or at == self.hang_after_words:
                wait = threading.Event()
                with cancel.calling(wait.set):
                    wait.wait(10)
            if cancel.cancelled:
                self.cancelled.set()
                return
            yield np.full(int(SECONDS_PER_WORD * 24_000), 0.5, np.float32)


class CountingEar:
    """Hears the seconds of loud sound.

    Attributes:
        heard: How often it was asked.
    """

    name = "counting"

    def __init__(self) -> None:
        self.error: EngineError | None = None
        self.blocked = threading.Event()
        self.hang = False
        self.heard = 0

    def transcribe(
        self, audio: Heard, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        self.heard += 1
        if self.hang:
            self.blocked.wait(10)
        if self.error:
            raise self.error
        seconds = float((np.abs(audio) > 0.05).sum()) / 16_000
        return Transcription(text=f"{seconds:.1f}", language=current)


@dataclass
class TestEngine:
    """A running engine; ``address`` is what plugins are given."""

    __test__ = False

    address: str
    voice: ToneVoice
    ear: CountingEar
    readiness: Readiness = field(default_factory=lambda: Readiness([]))


class _Speech:
    """Stands where the loaded models are."""

    def __init__(self, recogniser: Recogniser, synthesizer: Synthesizer) -> None:
        self._recogniser = recogniser
        self.synthesizer = synthesizer
        self.readiness = Readiness([])

    def recogniser(self) -> Recogniser:
        return self._recogniser


@asynccontextmanager
async def run_engine(folder: Path) -> AsyncIterator[TestEngine]:
    """Serve on a Unix socket in ``folder``."""
    voice, ear = ToneVoice(), CountingEar()
    scheduler = Scheduler("counting")
    synthesizer = Synthesizer([voice], {"en": "tone/a", "fr": "tone/a"})
    await synthesizer.load("tone")
    app = web.Application()
    with ThreadPoolExecutor(1) as vad_threads:
        recogniser = Recogniser(ear, scheduler, 5, vad_threads)
        app[SPEECH] = cast(Speech, _Speech(recogniser, synthesizer))
        add_routes(app)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        path = folder / "engine.sock"
        await web.UnixSite(runner, str(path)).start()
        try:
            yield TestEngine(f"unix:{path}", voice, ear)
        finally:
            ear.blocked.set()
            await runner.cleanup()
            synthesizer.close()
            await scheduler.aclose()
            await asyncio.sleep(0)
