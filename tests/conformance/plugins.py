"""The plugins under test: to add one, write its factory and a line in `PLUGINS`."""

import os
from functools import partial

from livekit.plugins import kyutai, local, openai

from tests.conformance.engine_server import engine_server
from tests.conformance.kit import PluginUnderTest
from tests.conformance.moshi_server import fake_moshi_server, real_moshi_ear, real_moshi_voice


def local_tts(address: str) -> local.TTS:
    """Our voice."""
    return local.TTS(engine=address)


def kyutai_tts(address: str) -> kyutai.TTS:
    """Kyutai's voice, in a moshi-server."""
    return kyutai.TTS(base_url=address)


def kyutai_stt(address: str) -> kyutai.STT:
    """Kyutai's ear, at a moshi-server."""
    return kyutai.STT(base_url=address)


def speak_slowly(plugin: local.TTS | openai.TTS | kyutai.TTS) -> None:
    """Choose the engine's voice that takes twice as long."""
    plugin.update_options(voice="tone/slow")


def local_stt(address: str) -> local.STT:
    """Our ear."""
    return local.STT(engine=address, languages=("en", "fr"), word_times=True)


def openai_tts(address: str) -> openai.TTS:
    """The framework's OpenAI voice, at the engine's OpenAI-compatible endpoint."""
    return openai.TTS(base_url=f"{address}/v1", api_key="local", model="tts-1", voice="alloy")


def openai_stt(address: str) -> openai.STT:
    """The framework's OpenAI ear, at the engine's OpenAI-compatible endpoint."""
    return openai.STT(base_url=f"{address}/v1", api_key="local", model="whisper-1")


_THIRTY_SECONDS = (
    "it waits 30 s for an answer whatever `conn_options.timeout` says, which counts only for "
    "connecting"
)
_SAYS_IT_AGAIN = (
    "its errors are always retryable, and the framework's `ChunkedStream` retries after audio too: "
    "the beginning is said again"
)
_KEEPS_ITS_CLIENT = (
    "`aclose` closes the sockets of its streaming mode, not the HTTP client that transcribes"
)
_TAKES_IT_FOR_SILENCE = "an answer without `text` is taken for silence"

OPENAI_TTS_BREAKS = {
    "tts_initialized_first": "it initializes its emitter when the answer begins",
    "tts_stall_on_connect": _THIRTY_SECONDS,
    "tts_stall_before_audio": _THIRTY_SECONDS,
    "tts_stall_between_chunks": _THIRTY_SECONDS,
    "tts_lost_after_audio": _SAYS_IT_AGAIN,
    "tts_failure_after_audio": _SAYS_IT_AGAIN,
}
OPENAI_STT_BREAKS = {
    "stt_closed_plugin_refuses": _KEEPS_ITS_CLIENT,
    "stt_nothing_stays": _KEEPS_ITS_CLIENT,
    "stt_nonsense_is_api_error": _TAKES_IT_FOR_SILENCE,
    "stt_error_events_hold_api_errors": _TAKES_IT_FOR_SILENCE,
    "stt_stalled_ear_times_out": _THIRTY_SECONDS,
    "stt_stalled_connection_times_out": _THIRTY_SECONDS,
    "stt_recognize_times_out": _THIRTY_SECONDS,
    "stt_hole_amid_utterance": _THIRTY_SECONDS,
}

engine = partial(PluginUnderTest, backend=engine_server)
moshi = partial(PluginUnderTest, backend=fake_moshi_server)

PLUGINS: tuple[PluginUnderTest, ...] = (
    engine("local", "tts", local_tts, change=speak_slowly),
    engine("local", "stt", local_stt),
    engine("openai", "tts", openai_tts, change=speak_slowly, expected=OPENAI_TTS_BREAKS),
    engine("openai", "stt", openai_stt, expected=OPENAI_STT_BREAKS),
    moshi("kyutai", "tts", kyutai_tts, change=speak_slowly),
    moshi("kyutai", "stt", kyutai_stt),
)

REAL_PLUGINS = (
    PluginUnderTest("kyutai-real", "tts", kyutai_tts, real_moshi_voice, change=speak_slowly),
    PluginUnderTest(
        "kyutai-real",
        "stt",
        kyutai_stt,
        real_moshi_ear,
        lacks=dict.fromkeys(
            ("stt_nonsense_is_api_error", "stt_error_events_hold_api_errors"),
            "the real server cannot be told to send nonsense",
        ),
    ),
)
"""Those with a server that has to be installed: they count where ``MOSHI_SERVER_BIN`` names it."""

INSTALLED = (*PLUGINS, *(REAL_PLUGINS if os.environ.get("MOSHI_SERVER_BIN") else ()))
"""Those that can be checked here."""
