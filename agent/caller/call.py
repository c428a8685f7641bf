"""Placing a call: greet, speak, listen, turn by turn.

What the caller decides on (the agent has started, the agent is done) is looked up some fifty times
a second; what is reported comes from the stamps of the frames, so that this does not show in it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from livekit import rtc

from agent.caller.access import Access
from agent.caller.ear import Ear
from agent.caller.microphone import Microphone
from agent.caller.onset import OnsetConfig
from agent.caller.presence import AgentPresence
from agent.caller.report import CallReport
from agent.caller.reporting import EarReporter
from agent.caller.script import Utterance, load_script
from agent.caller.transcripts import TranscriptReader
from agent.caller.turns import Exchange, Voices, find_greeting, find_turns, first_answer
from agent.errors import UserError

_LOOK = 0.02
# Speech whose last frame came so long ago has paused.
_AUDIBLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """What a call is to be like; times in seconds.

    Attributes:
        wavs: One WAV per turn.
        access: The way into a room with an agent.
        greeting_timeout: By when, from the start, the agent must have begun its greeting.
        answer_timeout: By when, from the end of the caller's speech, an answer must have begun.
        longest_answer: How long greeting or answer may take from there.
        barge_in: Speak that long after the agent began to answer, or when it speaks again, if it
            pauses just then; None lets it finish.
        go_on: Speak the next turn when one got no answer in time, instead of giving up.
        pause: The agent is done when it was silent for so long and says that it listens.
        onset: What counts as speech, on both sides.
    """

    wavs: Sequence[Path]
    access: Access
    greeting_timeout: float = 30.0
    answer_timeout: float = 30.0
    longest_answer: float = 180.0
    barge_in: float | None = None
    go_on: bool = False
    pause: float = 1.2
    onset: OnsetConfig = field(default_factory=OnsetConfig)


class CallFailed(UserError):
    """A call that began but did not get through its script.

    Args:
        sentence: Why.
        report: What there was until then.
    """

    def __init__(self, sentence: str, report: CallReport) -> None:
        super().__init__(sentence)
        self.report = report


async def place_call(
    options: CallOptions, progress: Callable[[str], None] = lambda _: None
) -> CallReport:
    """Place a call and return what it was like.

    Args:
        options: What to say and to whom.
        progress: Gets a line when something happens that a person at a terminal waits for.

    Raises:
        CallFailed: No agent came, it left, or it did not answer in time.
        UserError: A WAV cannot be spoken, or LiveKit or the token endpoint did not let us in.
    """
    script = await asyncio.to_thread(load_script, options.wavs, options.onset)
    call = _Call(options, progress)
    failure: UserError | None = None
    async with AsyncExitStack() as stack:
        await call.join(stack)
        try:
            await call.converse(script)
        except UserError as error:
            failure = error
    report = await asyncio.to_thread(call.report, str(failure) if failure else None)
    if failure:
        raise CallFailed(str(failure), report) from None
    return report


class _Call:
    def __init__(self, options: CallOptions, progress: Callable[[str], None]) -> None:
        self._options = options
        self._progress = progress
        self._origin = perf_counter()
        self._room = rtc.Room()
        self._ear = Ear(options.onset)
        self._microphone = Microphone()
        self._presence = AgentPresence(self._room, self._ear)
        self._transcripts = TranscriptReader(self._room)
        self._reporter = EarReporter(self._room, self._ear)
        self._exchanges: list[Exchange] = []

    async def join(self, stack: AsyncExitStack) -> None:
        """Enter the room; ``stack`` takes what has to be closed."""
        stack.push_async_callback(self._microphone.aclose)
        stack.push_async_callback(self._room.disconnect)
        stack.push_async_callback(self._ear.aclose)
        stack.push_async_callback(self._transcripts.aclose)
        stack.push_async_callback(self._reporter.aclose)
        await self._options.access.join(self._room)
        self._reporter.start()
        self._presence.look_round()
        await self._microphone.publish(self._room)

    async def converse(self, script: Sequence[Utterance]) -> None:
        """Hear the greeting, then go through the script."""
        await self._hear_greeting()
        for number, utterance in enumerate(script, 1):
            self._progress(f"turn {number} of {len(script)}: speaking")
            exchange = Exchange(await self._microphone.speak(utterance))
            self._exchanges.append(exchange)
            await self._reporter.stopped(exchange.spoken.end)
            exchange.answer = await self._hear_answer(number, exchange)
            if exchange.answer is None:
                continue
            if self._options.barge_in is not None and number < len(script):
                began = self._ear.start(self._ear.speech[exchange.answer])
                await self._until(lambda: False, began + self._options.barge_in)
                # A slow agent pauses; where nobody speaks there is nobody to interrupt.
                await self._until(
                    lambda: self._agent_audible() or self._agent_done(),
                    perf_counter() + self._options.longest_answer,
                )
            else:
                await self._until_done(f"The answer to turn {number}")

    def report(self, error: str | None) -> CallReport:
        """Work out the figures."""
        voices = Voices(self._room.local_participant.identity, self._presence.identity or "")
        log = self._transcripts.log
        return CallReport(
            room=self._room.name,
            origin=self._origin,
            error=error,
            greeting=find_greeting(self._exchanges, self._ear, log, voices, self._origin),
            turns=find_turns(
                self._exchanges,
                self._ear,
                log,
                voices,
                origin=self._origin,
                pause=self._options.pause,
                receipt=self._reporter.receipt,
            ),
            microphone_underruns=self._microphone.underruns,
            longest_receive_gap_ms=self._ear.tape.longest_gap() * 1000,
            agent=self._ear.tape.recording(),
            caller=self._microphone.tape.recording(),
        )

    async def _hear_greeting(self) -> None:
        timeout = self._options.greeting_timeout
        deadline = self._origin + timeout
        if not await self._until(lambda: self._presence.identity is not None, deadline):
            raise UserError(
                f"No agent joined the call within {timeout:g} s; is `eloquence worker` running and "
                "registered under the AGENT_NAME that was asked for?"
            )
        self._progress("the agent joined")
        if not await self._until(lambda: bool(self._ear.speech), deadline):
            raise UserError(
                f"The agent joined but greeted nobody within {timeout:g} s; "
                "its log (`eloquence worker`) says why."
            )
        await self._until_done("The greeting")

    async def _hear_answer(self, number: int, exchange: Exchange) -> int | None:
        timeout = self._options.answer_timeout
        await self._until(
            lambda: self._answer_to(exchange) is not None, exchange.spoken.end + timeout
        )
        answer = self._answer_to(exchange)
        if answer is None and self._options.go_on:
            self._progress(f"  no answer within {timeout:g} s")
            return None
        if answer is None:
            raise UserError(
                f"Turn {number} got no answer within {timeout:g} s after the end of the caller's "
                "speech; the log of `eloquence worker` says why, or allow more with "
                "--answer-timeout."
            )
        start = self._ear.start(self._ear.speech[answer])
        self._progress(f"  answer after {(start - exchange.spoken.end) * 1000:.0f} ms")
        return answer

    def _answer_to(self, exchange: Exchange) -> int | None:
        return first_answer(self._ear, exchange.spoken, self._presence.speaks_through)

    async def _until_done(self, what: str) -> None:
        longest = self._options.longest_answer
        if not await self._until(self._agent_done, perf_counter() + longest):
            raise UserError(f"{what} did not end within {longest:g} s.")

    def _agent_audible(self) -> bool:
        return perf_counter() - self._ear.end(self._ear.speech[-1]) < _AUDIBLE_SECONDS

    def _agent_done(self) -> bool:
        silent = perf_counter() - self._ear.end(self._ear.speech[-1])
        return silent >= self._options.pause and self._presence.at_rest

    async def _until(self, condition: Callable[[], bool], deadline: float) -> bool:
        """Wait for ``condition``, and tell whether it came before ``deadline``."""
        while not condition():
            if self._presence.ended:
                raise UserError(self._presence.ended)
            if perf_counter() >= deadline:
                return False
            await asyncio.sleep(_LOOK)
        return True
