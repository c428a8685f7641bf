"""Voices that do the wrong thing about a fault."""

import asyncio
from typing import Any

import aiohttp
from livekit.agents import APIConnectionError, APIError, APIStatusError, tts
from livekit.plugins import local
from livekit.plugins.local.client import EngineConnection, EngineStream
from livekit.plugins.local.watchdog import Watchdog

from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Wire, voice


class _RetriesAll(EngineConnection):
    async def _connect(self, path: str) -> aiohttp.ClientWebSocketResponse:
        try:
            return await super()._connect(path)
        except APIStatusError as error:
            raise APIConnectionError(error.message) from None


class _RetriesNoRefusal(EngineConnection):
    async def _connect(self, path: str) -> aiohttp.ClientWebSocketResponse:
        try:
            return await super()._connect(path)
        except APIStatusError as error:
            raise APIError(error.message, body=None, retryable=False) from None


class _RetriesNoConnection(EngineConnection):
    async def _connect(self, path: str) -> aiohttp.ClientWebSocketResponse:
        try:
            return await super()._connect(path)
        except APIConnectionError as error:
            raise APIConnectionError(error.message, retryable=False) from None


class _RawErrors(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        try:
            await super()._run(output_emitter)
        except APIConnectionError as error:
            raise ConnectionError(error.message) from None


class _EndIsSuccess(Wire):
    async def receive(self, **arguments: Any) -> bytes | dict[str, Any] | None:
        try:
            return await super().receive(**arguments)
        except APIConnectionError:
            return {"type": "done"}


class _AlwaysRetryable(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        try:
            await super()._run(output_emitter)
        except APIConnectionError as error:
            error.retryable = True
            raise
        except APIStatusError as error:
            error.retryable = error.status_code >= 500
            raise


class _NoticesLate(local.SynthesizeStream):
    async def _receive(
        self, engine: EngineStream, emitter: tts.AudioEmitter, watchdog: Watchdog
    ) -> None:
        try:
            await super()._receive(engine, emitter, watchdog)
        except APIError:
            while not self._text_ended:
                await asyncio.sleep(0.01)
            raise


MUTANTS = (
    Mutant(
        "retries every refusal",
        "tts",
        voice(connection=_RetriesAll),
        frozenset({"tts_refused_for_good"}),
    ),
    Mutant(
        "retries no refusal",
        "tts",
        voice(connection=_RetriesNoRefusal),
        frozenset({"tts_refused_for_now"}),
    ),
    Mutant(
        "retries no connection",
        "tts",
        voice(connection=_RetriesNoConnection),
        frozenset({"tts_unreachable"}),
    ),
    Mutant(
        "raw exceptions",
        "tts",
        voice(stream=_RawErrors),
        frozenset({"tts_api_errors_only", "tts_unreachable"}),
    ),
    Mutant(
        "an early end is success",
        "tts",
        voice(wire=_EndIsSuccess),
        frozenset({"tts_lost_before_audio", "tts_lost_after_audio"}),
    ),
    Mutant(
        "notices when the text ends",
        "tts",
        voice(stream=_NoticesLate),
        frozenset({"tts_lost_while_written"}),
    ),
    Mutant(
        "retryable after audio",
        "tts",
        voice(stream=_AlwaysRetryable),
        frozenset({"tts_lost_after_audio", "tts_failure_after_audio"}),
    ),
)
