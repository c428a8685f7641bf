"""A call's session: nothing hosted, the caller's language, failures explained."""

import asyncio
import logging

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, ErrorEvent, UserStateChangedEvent, inference
from livekit.agents.llm import LLMError
from livekit.plugins import local, openai

from agent.call.phrases import apology
from agent.call.session import build_session, caller_language, guard_against_failures
from agent.logs import ReadableFormatter
from agent.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture
def settings() -> Settings:
    return Settings(engine_url="unix:/nowhere/engine.sock")


async def test_every_part_of_the_session_is_local(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_DEV_MODE", "1")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "secret")
    voice = local.TTS(engine=settings.engine_address)
    session = build_session(settings, voice)
    assert isinstance(session.stt, local.STT)
    assert isinstance(session.llm, openai.LLM)
    assert session.tts is voice
    assert isinstance(session.turn_detection, inference.TurnDetector)
    assert session.turn_detection.model == "turn-detector-v1-mini"
    assert session.options.interruption["mode"] == "vad"
    assert session.stt.capabilities.manual_flush
    await asyncio.gather(voice.aclose(), session.stt.aclose(), session.llm.aclose())


async def test_the_recogniser_knows_the_words_of_the_settings() -> None:
    settings = Settings(
        engine_url="unix:/nowhere/engine.sock",
        stt_keyterms="Sintra, Lord Byron",  # as in the environment
    )
    voice = local.TTS(engine=settings.engine_address)
    session = build_session(settings, voice)
    assert isinstance(session.stt, local.STT)
    assert session.stt.keyterms == ("Sintra", "Lord Byron")
    assert isinstance(session.llm, openai.LLM)
    await asyncio.gather(voice.aclose(), session.stt.aclose(), session.llm.aclose())


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ("", "en"),
        ('{"language": "fr"}', "fr"),
        ('{"language": "xx"}', "en"),
        ('{"language": 5}', "en"),
        ("[]", "en"),
        ("{", "en"),
    ],
)
def test_the_greeting_is_in_a_language_that_is_spoken_here(
    settings: Settings, metadata: str, language: str
) -> None:
    assert caller_language(metadata, settings) == language


def test_log_lines_hold_nothing_personal() -> None:
    record = logging.makeLogRecord(
        {"msg": "transcript received", "lk.pii.text": "my card number", "delay": 0.2}
    )
    line = ReadableFormatter().format(record)
    assert "transcript received delay=0.2" in line
    assert "card" not in line


class Heard(rtc.EventEmitter[str]):
    """As much of a session as reports errors and says something."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, text: str, *, allow_interruptions: bool) -> None:
        assert not allow_interruptions
        self.said.append(text)

    def fail(self) -> None:
        error = LLMError(timestamp=0.0, label="", error=APIConnectionError(), recoverable=False)
        self.emit("error", ErrorEvent(error=error, source=None))

    def listen(self) -> None:
        self.emit(
            "user_state_changed", UserStateChangedEvent(old_state="listening", new_state="speaking")
        )


async def test_an_answer_that_fails_early_and_again_is_apologised_for_once(
    settings: Settings,
) -> None:
    session, voice = Heard(), local.TTS(engine=settings.engine_address)
    guard_against_failures(session, voice, settings)  # type: ignore[arg-type]
    session.fail()
    session.fail()
    assert session.said == [apology("en")]
    session.listen()
    session.fail()
    assert session.said == [apology("en")] * 2
    await voice.aclose()
