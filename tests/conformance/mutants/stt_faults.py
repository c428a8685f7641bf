"""Ears that fail badly."""

import asyncio
from dataclasses import replace
from typing import Any

from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins.local.stt import SpeechStream

from tests.conformance.mutants.stt_ear import Ear, Stream, mutant


class SwallowsErrors(Stream):
    async def _run(self) -> None:
        try:
            await super()._run()
        except APIError:
            return


class DeafAfterError(Stream):
    async def _run(self) -> None:
        try:
            await super()._run()
        except APIError as error:
            self._emit_error(error, recoverable=True)
            async for _ in self._input_ch:
                pass


class NeverRetries(Stream):
    async def _run(self) -> None:
        try:
            await super()._run()
        except APIError as error:
            error.retryable = False
            raise


class RetriesEverything(Stream):
    async def _run(self) -> None:
        try:
            await super()._run()
        except APIStatusError as error:
            raise APIConnectionError(error.message) from None


class RetriesInside(Stream):
    async def _run(self) -> None:
        try:
            await super()._run()
        except APIError:
            await super()._run()


class RaisesAnything(Stream):
    async def _run(self) -> None:
        try:
            await super()._run()
        except APIError as error:
            raise RuntimeError(str(error)) from None


class WaitsForEver(Stream):
    async def _run(self) -> None:
        self._conn_options = replace(self._conn_options, timeout=3600)
        self._watchdog._timeout = 3600
        await super()._run()


class TakesSilenceForStall(Stream):
    async def _run(self) -> None:
        try:
            async with asyncio.timeout(self._conn_options.timeout):
                await super()._run()
        except TimeoutError:
            raise APITimeoutError("nothing came") from None


class EndsAtOnce(Stream):
    async def _run(self) -> None:
        return


class StaysBroken(Ear):
    def stream(self, **options: Any) -> SpeechStream:
        self.on("error", self._break)
        return super().stream(**options)

    def _break(self, _: object) -> None:
        self.streams = EndsAtOnce


MUTANTS = (
    mutant(
        "errors swallowed",
        SwallowsErrors,
        "failure_comes_out",
        "lost_connection_is_api_error",
        "nonsense_is_api_error",
        "stalled_connection_times_out",
        may_break=("reset_amid_utterance", "refusal_is_final"),
    ),
    mutant(
        "deaf after an error",
        DeafAfterError,
        "heard_after_failure",
        may_break=("reset_amid_utterance", "refusal_is_final"),
    ),
    mutant(
        "nothing retried",
        NeverRetries,
        "failure_is_retried",
        "busy_server_is_retried",
        "speech_while_away",
        "close_between_attempts",
        may_break=("reset_amid_utterance",),
    ),
    mutant("everything retried", RetriesEverything, "refusal_is_final"),
    mutant("retries within attempts", RetriesInside, "budget_is_kept", "refusal_is_final"),
    mutant(
        "any exception raised",
        RaisesAnything,
        "failure_comes_out",
        "nonsense_is_api_error",
        "lost_connection_is_api_error",
        "error_events_hold_api_errors",
        may_break=("reset_amid_utterance", "refusal_is_final"),
    ),
    mutant(
        "no deadline",
        WaitsForEver,
        "stalled_ear_times_out",
        "stalled_connection_times_out",
    ),
    mutant("silence taken for a stall", TakesSilenceForStall, "silence_is_no_stall"),
    mutant("next stream deaf", StaysBroken, "next_stream_hears"),
)
