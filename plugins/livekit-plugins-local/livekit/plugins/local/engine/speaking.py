"""One clause of a reply, as everybody who speaks through this engine hears it."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.tts.base import Phoneme
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE, TtsStart


async def speak_clause(
    synthesizer: Synthesizer,
    start: TtsStart,
    clause: str,
    pause: float,
    due: float | None = None,
    phonemes: list[Phoneme] | None = None,
) -> AsyncGenerator[bytes, None]:
    """Speak one clause.

    Engines return a clause without the silence around it; the pause goes before its first audio.
    Closing the generator cancels the work: use `contextlib.aclosing`.

    Args:
        synthesizer: The voices.
        start: Who speaks, which language, how fast.
        clause: What to say.
        pause: Silence between the last clause and this one, in seconds.
        due: Time of the event loop at which the listener runs out of audio; None for now.
        phonemes: As for `Synthesizer.synthesize`; times count from the beginning of the pause.

    Yields:
        PCM, s16le mono at `TTS_SAMPLE_RATE`; nothing if there is nothing to say.

    Raises:
        EngineError: As `Synthesizer.synthesize`.
    """
    began: float | None = time.perf_counter()
    told: list[Phoneme] = []
    audio = synthesizer.synthesize(
        clause,
        voice=start.voice,
        language=start.language,
        speed=start.speed,
        due=due,
        phonemes=told,
    )
    async with aclosing(audio):
        async for pcm in audio:
            if phonemes is not None:
                phonemes[:] = [each.later(pause) for each in told]
            if began is None:
                yield pcm
                continue
            delay = time.perf_counter() - began
            metrics.FIRST_AUDIO.labels(start.voice or start.language).observe(delay)
            began = None
            yield bytes(2 * round(pause * TTS_SAMPLE_RATE)) + pcm
