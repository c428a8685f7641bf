"""Plugins inside a real `AgentSession`; only the language model and the devices are fakes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from livekit.agents import (
    Agent,
    AgentSession,
    APIConnectOptions,
    CloseEvent,
    ErrorEvent,
    UserInputTranscribedEvent,
    stt,
    tts,
)
from livekit.agents.voice.agent_session import SessionConnectOptions

from tests.conformance.kit import deadlines
from tests.conformance.kit.rules import Broken
from tests.conformance.kit.session_devices import Loudspeaker, Microphone
from tests.conformance.kit.session_llm import ScriptedLLM
from tests.conformance.kit.vad import LoudnessVAD

PATIENT = APIConnectOptions(max_retry=10, retry_interval=0.1, timeout=deadlines.PATIENCE)


class Conversation:
    """A session that runs, and what happened in it so far.

    Attributes:
        heard: The final transcripts of what the caller said.
        errors: The session's error events.
        closed: Why the session ended, None while it goes on.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        model: ScriptedLLM,
        microphone: Microphone,
        loudspeaker: Loudspeaker,
    ) -> None:
        self.session = session
        self.model = model
        self.microphone = microphone
        self.loudspeaker = loudspeaker
        self.heard: list[str] = []
        self.errors: list[ErrorEvent] = []
        self.closed: CloseEvent | None = None
        self._changed = asyncio.Event()
        session.on("user_input_transcribed", self._transcribed)
        session.on("error", self._failed)
        session.on("close", self._ended)
        session.on("agent_state_changed", self._changes)
        session.on("user_state_changed", self._changes)
        loudspeaker.on("playback_started", self._changes)
        loudspeaker.on("playback_finished", self._changes)

    async def until(
        self, condition: Callable[[], bool], what: str, within: float = deadlines.PATIENCE
    ) -> None:
        """Wait until a condition holds, which is tried whenever something happens.

        Raises:
            Broken: It did not in time.
        """
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise Broken(
                f"{what} did not come within {within:.1f} s; heard: {self.heard}, said: "
                f"{self.loudspeaker.words}, {len(self.errors)} errors, the last ones: "
                f"{[event.error.error for event in self.errors[-2:]]}, closed: {self.closed}"
            ) from None

    async def says(self, words: list[str]) -> None:
        """Wait until the agent has said these words in all, and is silent again."""
        await self.until(
            lambda: len(self.loudspeaker.words) >= len(words) and self.is_quiet, f"{words}"
        )

    @property
    def is_quiet(self) -> bool:
        """Whether the agent listens and does not speak."""
        return self.session.agent_state == "listening"

    def _transcribed(self, event: UserInputTranscribedEvent) -> None:
        if event.is_final:
            self.heard.append(event.transcript)
        self._changed.set()

    def _failed(self, event: ErrorEvent) -> None:
        self.errors.append(event)
        self._changed.set()

    def _ended(self, event: CloseEvent) -> None:
        self.closed = event
        self._changed.set()

    def _changes(self, _: object) -> None:
        self._changed.set()


@asynccontextmanager
async def conversation(
    ear: stt.STT[Any],
    voice: tts.TTS[Any],
    model: ScriptedLLM,
    *,
    agent: Agent | None = None,
    speed: float = 50.0,
    options: APIConnectOptions = PATIENT,
    max_errors: int = 3,
    warm_up: float | None = None,
    watch: Callable[[AgentSession[Any]], None] = lambda _: None,
) -> AsyncIterator[Conversation]:
    """Start a session, and end it and its plugins with the block.

    Args:
        ear: Hears the caller.
        voice: Speaks the answers.
        model: Gives them.
        agent: Who answers; None takes one without tools.
        speed: How many times faster than real time the loudspeaker plays.
        options: Connection options of ear and voice.
        max_errors: How many unrecoverable errors in a row the session survives.
        warm_up: For how many seconds of the agent's speech the framework keeps the caller from
            the ear.
        watch: Called with the session before it starts, to add listeners.
    """
    session: AgentSession[Any] = AgentSession(
        stt=ear,
        llm=model,
        tts=voice,
        vad=LoudnessVAD(),
        turn_handling={
            "turn_detection": "vad",
            "endpointing": {"mode": "fixed", "min_delay": 0.0, "max_delay": 0.5},
            "interruption": {
                "mode": "vad",
                "min_duration": 0.2,
                "resume_false_interruption": False,
            },
            "preemptive_generation": {"enabled": False},
        },
        aec_warmup_duration=warm_up,
        user_away_timeout=None,
        session_close_transcript_timeout=0.1,
        conn_options=SessionConnectOptions(
            stt_conn_options=options,
            tts_conn_options=options,
            max_unrecoverable_errors=max_errors,
        ),
    )
    microphone, loudspeaker = Microphone(), Loudspeaker(speed=speed)
    session.input.audio, session.output.audio = microphone, loudspeaker
    talk = Conversation(session, model, microphone, loudspeaker)
    watch(session)
    try:
        await session.start(agent or Agent(instructions=""), record=False, session_host=False)
        yield talk
    finally:
        await session.aclose()
        await asyncio.gather(ear.aclose(), voice.aclose())
