"""``/v1/models``, and an engine that is still loading."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn, cast

import openai
import pytest
from aiohttp import web
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.openai.catalogue import VOICE_ALIASES, choose_voice
from livekit.plugins.local.engine.server import SPEECH, add_routes
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.readiness import Readiness

from tests.support.engine import ToneVoice, run_engine
from tests.support.openai_client import openai_client

pytestmark = pytest.mark.unit


async def test_the_list_holds_our_own_names_and_those_of_openai(tmp_path: Path) -> None:
    async with run_engine(tmp_path) as engine, openai_client(engine.address) as client:
        models = [model async for model in await client.models.list()]
        found = await asyncio.gather(*(client.models.retrieve(model.id) for model in models))
    assert {"counting", "tone", "whisper-1", "gpt-4o-transcribe", "tts-1", "gpt-4o-mini-tts"} <= {
        model.id for model in models
    }
    assert [model.id for model in found] == [model.id for model in models]
    (tone,) = (model for model in models if model.id == "tone")
    assert tone.model_extra == {"voices": ["tone/a"], "languages": {"tone/a": ["en", "fr"]}}


async def test_a_model_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with run_engine(tmp_path) as engine, openai_client(engine.address) as client:
        for name in ("gpt-4o", "a/b"):
            with pytest.raises(openai.NotFoundError, match="whisper-1") as failure:
                await client.models.retrieve(name)
            assert failure.value.code == "model_not_found"


class _Loading:
    """Stands where models are that are not loaded yet."""

    def __init__(self) -> None:
        self.synthesizer = Synthesizer([ToneVoice()], {"en": "tone/a"})
        self.readiness = Readiness(["stt"])

    def recogniser(self) -> NoReturn:
        raise EngineError("not_ready", "Speech recognition is still starting.", retryable=True)


@asynccontextmanager
async def loading_engine(folder: Path) -> AsyncIterator[openai.AsyncClient]:
    app = web.Application()
    speech = _Loading()
    app[SPEECH] = cast(Speech, speech)
    add_routes(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    path = folder / "engine.sock"
    await web.UnixSite(runner, str(path)).start()
    async with openai_client(f"unix:{path}") as client:
        yield client
    await runner.cleanup()
    speech.synthesizer.close()


async def test_an_engine_that_is_still_loading_says_when_to_come_back(tmp_path: Path) -> None:
    async with loading_engine(tmp_path) as client:
        assert (await client.models.list()).data == []
        for request in (
            client.audio.speech.create(input="Hello.", model="tts-1", voice="alloy"),
            client.audio.speech.create(input="Hello.", model="tone", voice="tone/a"),
            client.audio.transcriptions.create(file=b"RIFF", model="whisper-1"),
        ):
            with pytest.raises(openai.InternalServerError) as failure:
                await request
            assert (failure.value.status_code, failure.value.code) == (503, "not_ready")
            assert failure.value.response.headers["Retry-After"] == "1"


class _Engine(ToneVoice):
    def __init__(self, name: str, voices: Mapping[str, frozenset[str]]) -> None:
        super().__init__()
        self.name = name
        self._voices = dict(voices)

    def voices(self) -> dict[str, frozenset[str]]:
        return self._voices


EN, FR = frozenset({"en"}), frozenset({"fr"})
ENGINES = {
    "hibari": {"heart": EN},
    "kokoro": {**dict.fromkeys(VOICE_ALIASES.values(), EN), "ff_siwis": FR},
    "espeak": {"en": EN, "fr": FR, "de": frozenset({"de"})},
}


@asynccontextmanager
async def synthesizer(configured: dict[str, str], *names: str) -> AsyncIterator[Synthesizer]:
    made = Synthesizer([_Engine(name, ENGINES[name]) for name in names], configured)
    await asyncio.gather(*map(made.load, names))
    yield made
    made.close()


async def test_voices_of_openai_are_different_voices_of_ours() -> None:
    configured = {"en": "hibari/heart", "fr": "kokoro/ff_siwis"}
    async with synthesizer(configured, "hibari", "kokoro", "espeak") as made:
        chosen = {name: choose_voice(made, "tts-1", name) for name in VOICE_ALIASES}
        assert len(set(chosen.values())) == len(VOICE_ALIASES) == 13
        assert chosen["onyx"] == ("kokoro", "am_onyx", "en")
        assert choose_voice(made, "tts-1", "onyx", "fr-CA") == ("kokoro", "ff_siwis", "fr")
        assert choose_voice(made, "tts-1", "onyx", "de") == ("espeak", "de", "de")


async def test_without_kokoro_they_are_the_voice_of_the_language() -> None:
    async with synthesizer({"en": "hibari/heart"}, "hibari", "espeak") as made:
        assert choose_voice(made, "tts-1", "onyx") == ("hibari", "heart", "en")


async def test_they_speak_the_first_configured_language() -> None:
    configured = {"fr": "kokoro/ff_siwis", "en": "hibari/heart"}
    async with synthesizer(configured, "hibari", "kokoro", "espeak") as made:
        assert choose_voice(made, "tts-1", "onyx") == ("kokoro", "ff_siwis", "fr")


async def test_our_own_voices_speak_their_own_language() -> None:
    configured = {"en": "hibari/heart", "fr": "kokoro/ff_siwis"}
    async with synthesizer(configured, "hibari", "kokoro", "espeak") as made:
        for model, voice in (("tts-1", "kokoro/ff_siwis"), ("kokoro", "ff_siwis")):
            assert choose_voice(made, model, voice) == ("kokoro", "ff_siwis", "fr")
        assert choose_voice(made, "tts-1", "espeak/de") == ("espeak", "de", "de")
        with pytest.raises(Exception, match="hibari/heart is one of hibari, not of the model"):
            choose_voice(made, "kokoro", "hibari/heart")
