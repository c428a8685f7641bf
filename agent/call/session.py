"""One call: the session between a caller and the agent, inside a job process."""

import asyncio
import json
import logging
from typing import Any

from livekit.agents import (
    AgentSession,
    APIConnectOptions,
    APIError,
    ErrorEvent,
    JobContext,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
    room_io,
    tts,
)
from livekit.agents.llm import LLMError
from livekit.agents.stt import STTError
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.plugins import local, openai

from agent.call.assistant import Assistant
from agent.call.captions import spare_rate_estimate
from agent.call.conversations import Conversation
from agent.call.doubles import give_way
from agent.call.ears import build_stt, build_vad, sample_rate
from agent.call.last_resort import LastResort
from agent.call.last_words import LastWords
from agent.call.phrases import apology, greeting
from agent.call.silence import SilenceWatch
from agent.call.speech import build_tts
from agent.call.trouble import TroubleNotice
from agent.call.turn_taking import Detector, delays, follow_words
from agent.llm.client import open_client
from agent.llm.slots import slot_of, take_slot
from agent.llm.vllm import VllmJudge
from agent.receipts.budget import budget_of
from agent.receipts.recorder import Recorder
from agent.settings import Settings

_log = logging.getLogger(__name__)

# The engine answers within a second or not at all. While it restarts, what the caller says is kept
# and heard afterwards; a reply is not worth waiting for that long.
_STT_OPTIONS = APIConnectOptions(max_retry=20, retry_interval=1.0, timeout=5.0)
_TTS_OPTIONS = APIConnectOptions(max_retry=1, retry_interval=0.5, timeout=5.0)
# Outages of the engine last seconds; the call should outlive the longest of them.
_MAX_ERRORS = 20
# The framework waits for 50 ms of a caller's sound by default: the end of speech is heard that much
# later.
_FRAME_MS = 20


async def run_call(ctx: JobContext, settings: Settings) -> None:
    """Join the room of a job and talk until the caller leaves."""
    spare_rate_estimate()
    language = caller_language(ctx.job.metadata, settings)
    voice = local.TTS(engine=settings.engine_address, language=language, speed=settings.tts_speed)
    last_resort = LastResort(voice, speed=settings.tts_speed)
    ctx.add_shutdown_callback(last_resort.aclose)
    slot = take_slot(settings) if settings.embedded_llm else None
    session = build_session(settings, last_resort.tts, language=language, slot=slot)
    follow_language(session, voice, settings)
    guard_against_failures(session, voice, settings)
    recorder = Recorder(budget_of(settings), lambda: voice.language)
    ctx.add_shutdown_callback(recorder.aclose)
    voice.on("clause_started", recorder.observer.clause)
    assistant = Assistant(settings, lambda: voice.language, recorder, slot)
    follow_words(
        session,
        language,
        completeness=lambda: assistant.last_words.completeness,
        answer=lambda: recorder.pace.least,
    )
    if settings.embedded_llm:
        assistant.prefill.follow(session)
        ctx.add_shutdown_callback(assistant.prefill.aclose)
    else:
        judge = VllmJudge(settings, lambda: assistant.chat_ctx)
        assistant.last_words = LastWords(judge.judge)
        ctx.add_shutdown_callback(judge.aclose)
    conversation = Conversation(settings, ctx.job.room.name)
    goes_on = await conversation.restore(assistant, voice)
    conversation.follow(session, assistant, ctx.room, voice)
    ctx.add_shutdown_callback(conversation.aclose)
    SilenceWatch(
        session,
        language=lambda: voice.language,
        patience=settings.silence_seconds,
        hang_up=ctx.delete_room,
    )
    # Else the job would keep its place until the server notices that the room is empty.
    session.on("close", lambda _: ctx.shutdown("the call is over"))
    await session.start(
        assistant,
        room=ctx.room,
        room_options=room_io.RoomOptions(
            audio_input=room_io.AudioInputOptions(
                sample_rate=sample_rate(settings), frame_size_ms=_FRAME_MS
            )
        ),
        record=False,
        # A participant could otherwise read the conversation and drive the session.
        session_host=False,
    )
    if give_way(ctx):
        return
    recorder.follow(session, ctx.room)
    # A caller who was cut off has been greeted already.
    words = "" if goes_on else greeting(settings, language)
    if words:
        session.say(words)
    if settings.embedded_llm:
        # While the greeting is heard; the caller's first question then costs only itself.
        assistant.prefill.read_ahead(words)


def build_session(
    settings: Settings,
    voice: tts.TTS[Any],
    *,
    language: str | None = None,
    slot: int | None = None,
) -> AgentSession[None]:
    """Assemble a session in which nothing leaves the machines named in the settings.

    Args:
        settings: The settings.
        voice: What speaks on this machine.
        language: The caller's language; None is the first of the settings.
        slot: The call's slot of the embedded language model's server.
    """
    voice_activity = build_vad(settings)
    return AgentSession(
        stt=build_stt(settings, language or settings.language, voice_activity),
        llm=openai.LLM(
            model=settings.llm_model,
            client=open_client(settings, timeout=settings.llm_timeout),
            max_completion_tokens=settings.llm_max_tokens,
            # Strict schemas make every argument required, which vLLM and llama.cpp mishandle.
            _strict_tool_schema=False,
            extra_body=slot_of(slot),
        ),
        tts=build_tts(settings, voice),
        vad=voice_activity,
        turn_handling={
            # Named on purpose, as is the mode of interruption: defaults may be hosted services.
            "turn_detection": Detector(),
            "endpointing": delays(language or settings.language).options(),
            # What the caller says over a sentence that goes on is heard all the same.
            "interruption": {"mode": "vad", "discard_audio_if_uninterruptible": False},
            "preemptive_generation": {
                "enabled": True,
                # The first clause is there when the turn is confirmed.
                "preemptive_tts": True,
                # A pause in mid-sentence costs a request that is thrown away: one to three in a
                # turn are normal, and in long turns the early answer is hardly ever kept.
                "max_retries": 3,
                "max_speech_duration": 12.0,
            },
        },
        # Captions follow the voice, and after an interruption only what was heard is remembered.
        use_tts_aligned_transcript=True,
        # Warm-up would replace the caller's first words by silence while the agent greets.
        aec_warmup_duration=None,
        user_away_timeout=settings.silence_seconds,
        # Without a word on its way the whole of this is waited for; else interim text will do.
        session_close_transcript_timeout=0.5,
        conn_options=SessionConnectOptions(
            stt_conn_options=_STT_OPTIONS,
            tts_conn_options=_TTS_OPTIONS,
            llm_conn_options=APIConnectOptions(
                max_retry=1, retry_interval=1.0, timeout=settings.llm_timeout
            ),
            max_unrecoverable_errors=_MAX_ERRORS,
        ),
    )


def follow_language(session: AgentSession[None], voice: local.TTS, settings: Settings) -> None:
    """Answer in the voice of the language that the caller speaks."""

    @session.on("user_input_transcribed")
    def _switch(event: UserInputTranscribedEvent) -> None:
        # A service elsewhere may hear a language for which there is no voice.
        if event.is_final and event.language and event.language.language in settings.languages:
            voice.update_options(language=event.language.language)


def guard_against_failures(
    session: AgentSession[None], voice: local.TTS, settings: Settings
) -> None:
    """Tell the operator what failed and what to set; never stay on the line deaf or silent."""
    closing: set[asyncio.Task[None]] = set()
    trouble = TroubleNotice(session, lambda: voice.language)
    apologised = False

    # An answer is tried early, in the caller's pause, and again when the turn is over: both may
    # fail, and one apology will do until the caller says more.
    @session.on("user_state_changed")
    def _listen(event: UserStateChangedEvent) -> None:
        nonlocal apologised
        if event.new_state == "speaking":
            apologised = False

    # The rest of that reply is lost: it cannot be told what of it was heard. The language model may
    # still be writing it, and until it is over neither the notice nor another answer has its turn.
    @voice.on("broken_off")
    def _admit() -> None:
        speech = session.current_speech
        if speech and speech.allow_interruptions:
            speech.interrupt()
        trouble.say()

    @session.on("error")
    def _explain(event: ErrorEvent) -> None:
        nonlocal apologised
        failure = event.error
        cause = _cause(failure.error)
        if isinstance(failure, LLMError):
            if not failure.recoverable:
                _log.error(
                    "the language model at LLM_BASE_URL=%s does not answer properly (%s)",
                    settings.llm_url,
                    cause,
                )
                if not apologised:
                    apologised = True
                    # The confirmed turn would silence what an early attempt's failure says.
                    session.say(apology(voice.language), allow_interruptions=False)
        elif isinstance(failure.error, APIError):
            if trouble.say():
                _log.error("speech failed (%s); is the engine at ENGINE_URL running?", cause)
        elif isinstance(failure, STTError):
            # The framework stops listening after such an error but keeps the call open.
            _log.error("speech recognition broke (%s); the call ends", cause)
            task = asyncio.create_task(session.aclose())
            closing.add(task)
            task.add_done_callback(closing.discard)


def caller_language(metadata: str, settings: Settings) -> str:
    """Return the language in which to greet: the one the client asked for, if it is spoken here.

    Args:
        metadata: The job's metadata; a client may send ``{"language": "fr"}``.
        settings: The settings.
    """
    try:
        wanted = json.loads(metadata or "{}")
    except ValueError:
        return settings.language
    language = wanted.get("language") if isinstance(wanted, dict) else None
    return language if language in settings.languages else settings.language


def _cause(error: BaseException) -> str:
    """Return the innermost reason, which names what really happened."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
