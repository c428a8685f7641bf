"""Ears that lose words, or find too many, when the connection is lost."""

from dataclasses import replace
from typing import Any

from livekit import rtc
from livekit.agents import APIConnectionError, APIStatusError
from livekit.plugins.local.replay import UnansweredAudio

from tests.conformance.kit.deadlines import FACTOR
from tests.conformance.mutants.stt_ear import Stream, mutant


class ForgetsOnReconnect(Stream):
    async def _run(self) -> None:
        self._unanswered = UnansweredAudio()
        await super()._run()


class SendsTwice(UnansweredAudio):
    def replay(self) -> Any:
        yield from (item for item in super().replay() if isinstance(item, bytes))
        yield from super().replay()


class SaysTwiceOnReconnect(Stream):
    async def _run(self) -> None:
        if not self.attempts:
            self._unanswered = SendsTwice()
        await super()._run()


class ForgetsNothing(UnansweredAudio):
    def answered(self, flush: int) -> None:
        while self._flushes and self._flushes[0][0] <= flush:
            self._flushes.popleft()


class SendsAllAgain(Stream):
    async def _run(self) -> None:
        if not self.attempts:
            self._unanswered = ForgetsNothing()
        await super()._run()


class TakesLossForEnd(Stream):
    async def _run(self) -> None:
        try:
            await super()._run()
        except APIStatusError:
            raise
        except APIConnectionError:
            return


class DropsWhileAway(Stream):
    async def _run(self) -> None:
        if self.attempts:
            kept = []
            while not self._input_ch.empty():
                item = self._input_ch.recv_nowait()
                if not isinstance(item, rtc.AudioFrame):
                    kept.append(item)
            for item in kept:
                self._input_ch.send_nowait(item)
        await super()._run()


class HasItsOwnDeadline(Stream):
    async def _run(self) -> None:
        self._conn_options = replace(self._conn_options, timeout=0.35 * FACTOR)
        await super()._run()


MUTANTS = (
    mutant(
        "utterance lost on reconnect",
        ForgetsOnReconnect,
        "reset_amid_utterance",
        "end_amid_utterance",
        "half_close_amid_utterance",
        "hole_amid_utterance",
        "reset_before_final",
    ),
    mutant(
        "utterance doubled on reconnect",
        SaysTwiceOnReconnect,
        "reset_amid_utterance",
        "end_amid_utterance",
    ),
    mutant("whole call sent again on reconnect", SendsAllAgain, "reset_after_final"),
    mutant(
        "loss taken for the end",
        TakesLossForEnd,
        "end_amid_utterance",
        "lost_connection_is_api_error",
        may_break=("reset_amid_utterance",),
    ),
    mutant(
        "speech dropped while away",
        DropsWhileAway,
        "speech_while_away",
        may_break=("reset_amid_utterance",),
    ),
    mutant("deadline of its own", HasItsOwnDeadline, "slow_network"),
)
