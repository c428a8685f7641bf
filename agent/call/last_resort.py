"""The rungs below the speech engine: another voice in this process, and the way back up.

Below them there is only the recording of `agent.call.trouble`.
"""

import asyncio
import logging
from typing import Any

from livekit.agents import APIConnectOptions, APIError, tts, utils
from livekit.plugins import local

_log = logging.getLogger(__name__)

# Asking an engine that is not there costs a refused connection.
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 10.0
_PROBE = "1"
_PROBE_OPTIONS = APIConnectOptions(max_retry=0, timeout=3.0)


class LastResort:
    """Speaks by the engine and, while that is away, by `espeak-ng` in this process.

    Attributes:
        tts: What a session is given.
    """

    def __init__(
        self,
        voice: local.TTS,
        *,
        speed: float = 1.0,
        first_delay: float = _FIRST_DELAY_SECONDS,
    ) -> None:
        """Join the voices.

        Args:
            voice: The engine's; the other speaks its language.
            speed: Rate of speech.
            first_delay: Seconds until the engine is asked for the first time whether it is back.
        """
        self._voice = voice
        self._first_delay = first_delay
        self._returning: asyncio.Task[None] | None = None
        members: list[tts.TTS[Any]] = [voice]
        if local.EspeakTTS.installed():
            members.append(local.EspeakTTS(language=lambda: voice.language, speed=speed))
        # Each gets one attempt: the caller waits.
        self._adapter = tts.FallbackAdapter(
            members, max_retry_per_tts=0, sample_rate=voice.sample_rate
        )
        self._adapter.on("tts_availability_changed", self._changed)
        self.tts: tts.TTS[Any] = self._adapter

    async def aclose(self) -> None:
        """Stop; the voice itself stays open."""
        if self._returning:
            await utils.aio.cancel_and_wait(self._returning)
        await self._adapter.aclose()

    def _changed(self, event: tts.AvailabilityChangedEvent) -> None:
        if event.tts is not self._voice:
            return
        if event.available:
            _log.info("the speech engine speaks again")
        elif self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._return(), name="voice-return")

    async def _return(self) -> None:
        """Wait for the engine, then make the adapter notice.

        Left alone, it would ask only with the next reply, which would still be spoken by the
        other voice, and it would have all of that reply spoken for nothing.
        """
        delay = self._first_delay
        while True:
            await asyncio.sleep(delay)
            delay = min(_LONGEST_DELAY_SECONDS, 1.5 * delay)
            try:
                await _speak(self._voice)
                # Speaking past a voice that it has given up makes the adapter try that, too.
                await _speak(self._adapter)
            except APIError:
                continue
            return


async def _speak(voice: tts.TTS[Any]) -> None:
    async with voice.synthesize(_PROBE, conn_options=_PROBE_OPTIONS) as stream:
        async for _ in stream:
            pass
