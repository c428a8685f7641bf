"""What hears a call: one function per choice of ``STT``, and the stand-ins of ``STT_FALLBACK``."""

from collections.abc import Callable, Mapping
from typing import Any

from livekit.agents import inference, stt, vad
from livekit.plugins import deepgram, kyutai, local, openai

from agent.settings import Settings

# A lost connection is made again, with what was said meanwhile; a service that is away is not
# waited for, since another one is there.
_RETRIES = 2
_RETRY_SECONDS = 0.5
_TIMEOUT = 5.0
# The pause after which both detectors of speech take it to have ended.
_SILENCE_SECONDS = 0.25
# What recognisers, both detectors of speech and the turn detector work with; each of them would
# resample anything else for itself.
_RATE = 16_000
_RATES = {"kyutai": 24_000}
# Deepgram's name for a caller who may speak any of several languages.
_SEVERAL_LANGUAGES = "multi"


def _local(settings: Settings, language: str) -> stt.STT[Any]:
    return local.STT(
        engine=settings.engine_address,
        languages=settings.languages,
        model=settings.stt_model,
        keyterms=settings.stt_keyterms,
    )


def _kyutai(settings: Settings, language: str) -> stt.STT[Any]:
    return kyutai.STT(
        base_url=str(settings.kyutai_stt_address),
        api_key=settings.kyutai_api_key.get_secret_value(),
        language=language,
    )


def _deepgram(settings: Settings, language: str) -> stt.STT[Any]:
    key = settings.deepgram_api_key
    return deepgram.STT(
        model="nova-3",
        language=language if len(settings.languages) == 1 else _SEVERAL_LANGUAGES,
        keyterm=list(settings.stt_keyterms),
        api_key=key.get_secret_value() if key else "",
    )


def _openai(settings: Settings, language: str) -> stt.STT[Any]:
    return openai.STT(
        model=settings.stt_server_model,
        language=language,
        detect_language=len(settings.languages) > 1,
        base_url=str(settings.stt_base_url),
        api_key=settings.stt_api_key.get_secret_value(),
        use_realtime=False,
    )


EARS: Mapping[str, Callable[[Settings, str], stt.STT[Any]]] = {
    "local": _local,
    "kyutai": _kyutai,
    "deepgram": _deepgram,
    "openai": _openai,
}


class Ears(stt.FallbackAdapter):
    """Several recognisers, of which the first that works is listened to.

    The framework's own adapter asks for transcripts at the end of a turn only if every member
    needs to be asked. One that needs it would then never answer; asking the others does no harm.
    """

    @property
    def capabilities(self) -> stt.STTCapabilities:
        """What all members can; the end of a turn is announced if one of them needs that."""
        able = super().capabilities
        able.manual_flush = any(member.capabilities.manual_flush for member in self._stt_instances)
        return able


def build_stt(settings: Settings, language: str, voice_activity: vad.VAD) -> stt.STT[Any]:
    """Return what hears.

    Args:
        settings: The settings.
        language: Which language a recogniser reports that cannot tell.
        voice_activity: Cuts the audio for services that take whole utterances.
    """
    members = [EARS[name](settings, language) for name in settings.ears]
    if len(members) == 1:
        return members[0]
    return Ears(
        members,
        vad=voice_activity,
        attempt_timeout=_TIMEOUT,
        max_retry_per_stt=_RETRIES,
        retry_interval=_RETRY_SECONDS,
    )


def sample_rate(settings: Settings) -> int:
    """Return the rate, in Hz, at which to take a caller's sound, so that it is resampled once."""
    return _RATES.get(settings.ears[0], _RATE)


def build_vad(settings: Settings) -> vad.VAD:
    """Return what tells the session whether somebody speaks.

    Silero's plugin loads its model here, which takes a moment; the call is not connected yet.
    """
    if settings.vad == "livekit":
        return inference.VAD(min_silence_duration=_SILENCE_SECONDS)
    # Not at the head: it brings ONNX Runtime into every job process.
    from livekit.plugins import silero

    return silero.VAD.load(min_silence_duration=_SILENCE_SECONDS)
