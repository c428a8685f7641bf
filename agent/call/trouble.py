"""What a caller hears while the speech engine is away: a recording, which needs no voice."""

import logging
import time
import wave
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path

from livekit import rtc
from livekit.agents import AgentSession

_log = logging.getLogger(__name__)

CLIPS = Path(__file__).parent / "clips"
"""One WAV per language, 24 kHz mono, made by ``scripts/record-phrases``."""

TEXTS = {
    "en": "Sorry, something went wrong on my side. One moment, please.",
    "fr": "Pardon, j'ai un petit souci technique. Un instant, s'il vous plaît.",
}

# One outage makes many errors; the caller should hear of it once, and again if it lasts.
_SILENT_SECONDS = 15.0
_FRAME_SECONDS = 0.1


@cache
def clip(language: str) -> tuple[rtc.AudioFrame, ...]:
    """Return the recording in a language, in English for one that has none; read only once."""
    name = language if language in TEXTS else "en"
    with wave.open(str(CLIPS / f"trouble-{name}.wav"), "rb") as file:
        rate = file.getframerate()
        pcm = file.readframes(file.getnframes())
    step = int(rate * _FRAME_SECONDS) * 2
    pieces = [pcm[at : at + step] for at in range(0, len(pcm), step)]
    return tuple(rtc.AudioFrame(piece, rate, 1, len(piece) // 2) for piece in pieces)


class TroubleNotice:
    """Tells the caller of a call, now and then, that something is wrong."""

    def __init__(self, session: AgentSession[None], language: Callable[[], str]) -> None:
        """Create the notice.

        Args:
            session: The call.
            language: Tells the language that is spoken now.
        """
        self._session = session
        self._language = language
        self._said_at = float("-inf")

    def say(self) -> bool:
        """Say so, unless that was said only just now; return whether it was worth saying."""
        now = time.monotonic()
        if now - self._said_at < _SILENT_SECONDS:
            return False
        self._said_at = now
        language = self._language()
        text = TEXTS.get(language, TEXTS["en"])
        try:
            self._session.say(
                text,
                audio=_play(clip(language)),
                allow_interruptions=False,
                add_to_chat_ctx=False,
            )
        except RuntimeError:
            # That is how the framework says that the session has ended meanwhile.
            _log.debug("the call ended before its caller could be told of the trouble")
        return True


async def _play(frames: tuple[rtc.AudioFrame, ...]) -> AsyncIterator[rtc.AudioFrame]:
    for frame in frames:
        yield frame
