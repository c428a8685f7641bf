"""What hears a call, as the settings choose it."""

from typing import Any

import pytest
from livekit.agents import inference, stt
from livekit.plugins import deepgram, kyutai, local, openai, silero

from agent.call.ears import EARS, Ears, build_stt, build_vad, sample_rate
from agent.errors import UserError
from agent.settings import PROFILES, Settings, load
from tests.conformance.kit.vad import LoudnessVAD

pytestmark = pytest.mark.unit

ELSEWHERE: dict[str, Any] = {
    "engine_url": "unix:/nowhere/engine.sock",
    "kyutai_url": "ws://127.0.0.1:1",
    "deepgram_api_key": "secret",
    "stt_base_url": "http://127.0.0.1:1/v1",
}


def ear(**chosen: Any) -> stt.STT[Any]:
    return build_stt(Settings.model_validate({**ELSEWHERE, **chosen}), "fr", LoudnessVAD())


def members(ears: stt.STT[Any]) -> list[type]:
    assert isinstance(ears, Ears)
    return [type(member) for member in ears._stt_instances]


async def test_by_default_the_engine_hears_alone() -> None:
    assert type(ear()) is local.STT
    assert type(ear(stt_fallback="local")) is local.STT


async def test_kyutais_model_may_hear_elsewhere_than_it_speaks() -> None:
    alone = {"stt": "kyutai", "stt_fallback": ()}
    same = ear(**alone)
    other = ear(**alone, kyutai_url=None, kyutai_stt_url="ws://127.0.0.1:2")
    assert isinstance(same, kyutai.STT) and isinstance(other, kyutai.STT)
    assert (same._server.url, other._server.url) == ("ws://127.0.0.1:1", "ws://127.0.0.1:2")


@pytest.mark.parametrize(("name", "kind"), [("kyutai", kyutai.STT), ("deepgram", deepgram.STT)])
async def test_the_engine_stands_in_for_what_is_elsewhere(name: str, kind: type) -> None:
    assert members(ear(stt=name)) == [kind, local.STT]
    assert type(ear(stt=name, stt_fallback=name)) is kind


@pytest.mark.parametrize(("name", "rate"), [("local", 16_000), ("kyutai", 24_000)])
async def test_sound_is_taken_at_the_rate_of_the_first_recogniser(name: str, rate: int) -> None:
    settings = Settings.model_validate({**ELSEWHERE, "stt": name})
    assert sample_rate(settings) == rate
    (first, *_) = getattr(ear(stt=name), "_stt_instances", [ear(stt=name)])
    stream = first.stream()
    assert stream._needed_sr in (None, rate)
    await stream.aclose()


async def test_stand_ins_come_in_the_order_of_the_settings() -> None:
    ears = ear(stt="local", stt_fallback="deepgram, local,kyutai")
    assert members(ears) == [local.STT, deepgram.STT, kyutai.STT]


async def test_a_service_for_whole_utterances_is_given_them() -> None:
    ears = ear(stt="openai")
    assert members(ears) == [stt.StreamAdapter, local.STT]
    assert type(ear(stt="openai", stt_fallback="openai")) is openai.STT


async def test_the_end_of_a_turn_is_announced_to_whoever_needs_it() -> None:
    assert ear(stt="deepgram").capabilities.manual_flush
    assert ear(stt="local", stt_fallback="openai").capabilities.manual_flush
    assert not ear(stt="deepgram", stt_fallback="openai").capabilities.manual_flush


@pytest.mark.parametrize(("languages", "language"), [("fr", "fr"), ("en,fr", "multi")])
async def test_deepgram_is_told_what_to_expect(languages: str, language: str) -> None:
    chosen = ear(
        stt="deepgram", stt_fallback="deepgram", languages=languages, stt_keyterms="Sintra,Byron"
    )
    assert isinstance(chosen, deepgram.STT)
    assert chosen._opts.language == language
    assert chosen._opts.keyterm == ["Sintra", "Byron"]


@pytest.mark.parametrize(("languages", "told"), [("fr", ["fr"]), ("en,fr", [])])
async def test_an_openai_server_is_asked_for_the_language_only_if_it_may_be_several(
    languages: str, told: list[str]
) -> None:
    chosen = ear(
        stt="openai", stt_fallback="openai", languages=languages, stt_server_model="whisper-large"
    )
    assert isinstance(chosen, openai.STT)
    assert (chosen.model, chosen._opts.languages) == ("whisper-large", told)
    assert str(chosen._client.base_url) == "http://127.0.0.1:1/v1/"


@pytest.mark.parametrize(
    ("chosen", "missing"),
    [
        ({"STT": "deepgram"}, "STT is deepgram, so DEEPGRAM_API_KEY is needed"),
        ({"STT_FALLBACK": "openai"}, "STT_FALLBACK is openai, so STT_BASE_URL is needed"),
        ({"STT": "kyutai"}, "STT is kyutai, so KYUTAI_URL is needed"),
        ({"TTS": "kyutai"}, "TTS is kyutai, so KYUTAI_URL is needed"),
        ({"STT": "google"}, "STT is 'google', but it must be 'local'"),
    ],
)
def test_what_is_missing_for_a_choice_is_named(
    chosen: dict[str, str], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=missing):
        load()


def test_every_choice_is_in_the_table() -> None:
    (literal,) = [Settings.model_fields["stt"].annotation]
    assert set(EARS) == set(getattr(literal, "__args__", ()))


@pytest.mark.parametrize(("name", "kind"), [("livekit", inference.VAD), ("silero", silero.VAD)])
async def test_the_sessions_detector_is_chosen_and_ends_speech_alike(name: str, kind: type) -> None:
    detector: Any = build_vad(Settings.model_validate({"vad": name}))
    assert detector._opts.min_silence_duration == 0.25
    assert type(detector) is kind


def test_the_profile_for_gpus_sets_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().device == "auto"
    monkeypatch.setenv("PROFILE", "gpu")
    monkeypatch.setenv("STT_MODEL", "whisper-base")
    settings = load()
    assert settings.stt_model == "whisper-base"
    assert (settings.device, settings.stt_encoder_context) == ("cuda", "full")
    monkeypatch.setenv("STT_MODEL", "")
    assert load().stt_model == PROFILES["gpu"]["stt_model"] == "whisper-large-v3-turbo"
    monkeypatch.setenv("PROFILE", "tpu")
    with pytest.raises(UserError, match="PROFILE is 'tpu'"):
        load()
