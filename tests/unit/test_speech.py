"""What hears and speaks in a call, by the settings."""

from typing import Any

import pytest
from livekit.agents import stt, tts
from livekit.plugins import kyutai, local

from agent.call import speech
from agent.call.ears import build_stt
from agent.call.speech import build_tts
from agent.settings import Settings
from tests.conformance.kit.vad import LoudnessVAD

pytestmark = pytest.mark.unit

KYUTAI: dict[str, Any] = {
    "kyutai_url": "ws://127.0.0.1:1",
    "engine_url": "unix:/nowhere/engine.sock",
}


def members(adapter: object) -> list[object]:
    """Return those that an adapter asks, in turn; it does not say."""
    kind = "stt" if isinstance(adapter, stt.STT) else "tts"
    found: list[object] = getattr(adapter, f"_{kind}_instances")
    return found


@pytest.mark.parametrize("chosen", [{}, {"stt": "kyutai"}, {"tts": "kyutai"}])
def test_kyutais_plugin_is_imported_before_a_call_that_needs_it(
    chosen: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[str] = []
    monkeypatch.setattr(speech, "import_module", imported.append)
    speech.preload(Settings.model_validate({**KYUTAI, **chosen}))
    assert bool(imported) is bool(chosen)


async def test_the_engine_alone_by_default() -> None:
    settings = Settings(engine_url="unix:/nowhere/engine.sock")
    voice = local.TTS(engine=settings.engine_address)
    assert build_tts(settings, voice) is voice
    ear = build_stt(settings, "en", LoudnessVAD())
    assert isinstance(ear, local.STT)
    await ear.aclose()
    await voice.aclose()


async def test_kyutai_hears_first_and_the_engine_stands_in() -> None:
    ear = build_stt(Settings(stt="kyutai", **KYUTAI), "fr", LoudnessVAD())
    assert isinstance(ear, stt.FallbackAdapter)
    first, second = members(ear)
    assert isinstance(first, kyutai.STT)
    assert isinstance(second, local.STT)
    # Without both of these the turn would never end, and nothing be shown meanwhile.
    assert ear.capabilities.manual_flush
    assert ear.capabilities.interim_results
    await first.aclose()
    await second.aclose()


async def test_kyutai_speaks_first_and_the_engine_stands_in() -> None:
    settings = Settings(tts="kyutai", kyutai_voice="expresso/one.wav", **KYUTAI)
    voice = local.TTS(engine=settings.engine_address)
    adapter = build_tts(settings, voice)
    assert isinstance(adapter, tts.FallbackAdapter)
    first, second = members(adapter)
    assert isinstance(first, kyutai.TTS)
    assert second is voice
    assert adapter.sample_rate == voice.sample_rate
    await first.aclose()
    await voice.aclose()
