"""Another model hears until the chosen one has arrived, and streams change over."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.local.engine import hearing
from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.fetching import Fetcher
from livekit.plugins.local.engine.hearing import STT, Hearing
from livekit.plugins.local.engine.scheduler import Priority
from livekit.plugins.local.engine.stt.base import Request, Samples, Transcription
from livekit.plugins.local.engine.stt.registry import Family, ModelContext
from livekit.plugins.local.models import ModelStore
from livekit.plugins.local.readiness import Readiness

pytestmark = pytest.mark.unit

CHOSEN, SMALL, FRENCH = "whisper-base", "moonshine-tiny-en", "whisper-tiny.en"


class Ear:
    """Hears its own name, in the languages that it knows."""

    def __init__(self, context: ModelContext) -> None:
        self.name = context.name
        self.languages = frozenset({"fr"} if context.name == FRENCH else {"en"})

    def reload(self) -> None:
        pass

    def transcribe(
        self, audio: Samples, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        return Transcription(self.name, "en")


class SlowFetcher(Fetcher):
    """Has one model here, and another one only when it may come."""

    def __init__(self, readiness: Readiness, folder: Path) -> None:
        super().__init__(ModelStore(folder), readiness)
        self.come = asyncio.Event()

    def here(self, model_id: str) -> Path | None:
        return None if model_id == CHOSEN else Path("/here")

    async def fetch(self, component: str, model_id: str) -> Path:
        await self.come.wait()
        return Path("/here")


async def test_the_next_utterance_is_heard_by_the_chosen_model_when_it_has_arrived(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hearing, "available", lambda: [FRENCH, SMALL, CHOSEN])
    monkeypatch.setattr(hearing, "family_of", lambda _: Family(Ear))
    readiness = Readiness([STT])
    fetcher = SlowFetcher(readiness, tmp_path)
    config = EngineConfig("unix:x", tmp_path, "cpu", CHOSEN, languages=("en",), voices={})
    with ThreadPoolExecutor(1) as threads:
        ears = Hearing(config, fetcher, readiness, threads)
        loading = asyncio.create_task(ears.load())
        assert await readiness.until(lambda parts: parts.ready, timeout=10)
        # The one that does not know the language was passed over.
        assert list(readiness.components) == [STT, f"{STT}:{SMALL}"]
        stream = ears.recogniser()

        async def hear() -> str:
            sound = Request(np.zeros(16_000, np.float32), 1.0, "en", ("en",))
            return (await stream.submit(Priority.FINAL, sound).result).text

        assert await hear() == SMALL
        waiting = asyncio.create_task(hear())
        await asyncio.sleep(0)
        fetcher.come.set()
        async with asyncio.timeout(10):
            await loading
        assert await waiting in (SMALL, CHOSEN)
        assert await hear() == CHOSEN
        assert list(readiness.components) == [STT]
        assert readiness.ready
        await ears.aclose()


async def test_a_recogniser_of_english_alone_is_not_loaded_for_callers_who_speak_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded: list[str] = []

    def load(context: ModelContext) -> Ear:
        loaded.append(context.name)
        return Ear(context)

    monkeypatch.setattr(hearing, "available", lambda: [SMALL, "whisper-tiny.en", CHOSEN])
    monkeypatch.setattr(hearing, "family_of", lambda _: Family(load))
    readiness = Readiness([STT])
    fetcher = SlowFetcher(readiness, tmp_path)
    config = EngineConfig("unix:x", tmp_path, "cpu", CHOSEN, languages=("en", "fr"), voices={})
    with ThreadPoolExecutor(1) as threads:
        ears = Hearing(config, fetcher, readiness, threads)
        monkeypatch.setattr(hearing, "require_languages", lambda *_: None)
        fetcher.come.set()
        await ears.load()
        assert loaded == [CHOSEN]
        await ears.aclose()
