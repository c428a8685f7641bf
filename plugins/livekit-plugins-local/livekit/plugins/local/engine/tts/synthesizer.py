"""Speaks for all calls: one worker thread per engine, first come, first served."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from livekit.plugins.local.engine.text.speakable import is_speakable, speakable
from livekit.plugins.local.engine.tts.audio import PcmEncoder
from livekit.plugins.local.engine.tts.base import Cancellation, TTSEngine
from livekit.plugins.local.engine.tts.voices import VoiceBook
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE

SPEEDS = (0.5, 2.0)
"""Slowest and fastest rate of speech."""

_STOPPING = "The speech engine is stopping."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineState:
    """Whether an engine can speak.

    Attributes:
        message: One sentence that says why not, empty otherwise.
        code: Code of the error that a request meets while the engine cannot speak.
    """

    state: Literal["loading", "ready", "failed"]
    message: str = ""
    code: str = "not_ready"


class Synthesizer:
    """Loads engines and speaks with them.

    Args:
        engines: The engines to use.
        configured: Voice (``engine/name``) per two-letter language.
    """

    def __init__(self, engines: Iterable[TTSEngine], configured: Mapping[str, str]) -> None:
        self._engines = {engine.name: engine for engine in engines}
        self._workers = {
            name: ThreadPoolExecutor(1, thread_name_prefix=f"tts-{name}") for name in self._engines
        }
        self._states = {
            name: EngineState("loading", f"The voice engine {name} is still loading.")
            for name in self._engines
        }
        self._running: set[Cancellation] = set()
        self.voices = VoiceBook(configured, self._engines)

    @property
    def states(self) -> Mapping[str, EngineState]:
        """The state of each engine, by name."""
        return self._states

    async def load(self, name: str) -> None:
        """Load one engine on its thread; `states` tells how it went."""
        engine = self._engines[name]
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._workers[name], engine.load)
            self.voices.add(name, engine.voices())
        except EngineError as error:
            self._states[name] = EngineState("failed", error.message, error.code)
        except Exception as error:
            # An engine is foreign code: whatever it raises, the others still work.
            logger.exception("voice engine %s did not load", name)
            message = f"The voice engine {name} did not load: {type(error).__name__}: {error}"
            self._states[name] = EngineState("failed", message, "failed")
        else:
            self._states[name] = EngineState("ready")

    async def synthesize(
        self, text: str, *, voice: str | None, language: str, speed: float = 1.0
    ) -> AsyncGenerator[bytes, None]:
        """Speak one clause or sentence.

        Closing the generator cancels the work at once and does not wait for it: use
        `contextlib.aclosing`, or cancel the task that iterates.

        Args:
            text: Any text; Markdown, emoji and the like are not spoken.
            voice: ``engine/name``; None for the language's own.
            language: Language code of the text.
            speed: 1.0 is the voice's own rate.

        Yields:
            PCM, s16le mono at `TTS_SAMPLE_RATE`, each chunk as soon as it is made; nothing if
            there is nothing to say.

        Raises:
            EngineError: No such voice or language, the engine is not ready, or it failed.
        """
        choice = self.voices.resolve(voice, language)
        engine = self._ready(choice.engine)
        if not SPEEDS[0] <= speed <= SPEEDS[1]:
            raise EngineError(
                "bad_request", f"speed is {speed}, but must be from {SPEEDS[0]} to {SPEEDS[1]}."
            )
        text = speakable(text)
        if not is_speakable(text):
            return
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        cancel = Cancellation()

        def put(chunk: bytes | None) -> None:
            # The loop may be gone by now, and with it the listener.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)

        def work() -> None:
            encoder = PcmEncoder(engine.sample_rate, TTS_SAMPLE_RATE)
            for samples in engine.synthesize(
                text, voice=choice.voice, language=choice.language, speed=speed, cancel=cancel
            ):
                put(encoder.encode(samples))
            put(encoder.finish())

        self._running.add(cancel)
        job = self._workers[choice.engine].submit(work)
        job.add_done_callback(lambda _: put(None))
        try:
            while (chunk := await chunks.get()) is not None:
                if chunk:
                    yield chunk
            if cancel.cancelled:
                raise EngineError("not_ready", _STOPPING)
            job.result()
        except EngineError:
            raise
        except Exception as error:
            logger.exception("voice engine %s failed", choice.engine)
            raise EngineError(
                "failed", f"The voice engine {choice.engine} failed: {type(error).__name__}."
            ) from error
        finally:
            self._running.discard(cancel)
            cancel.cancel()
            job.cancel()

    def close(self) -> None:
        """Cancel all work; running and later requests end with an error."""
        self._states = dict.fromkeys(self._engines, EngineState("failed", _STOPPING))
        for cancel in self._running:
            cancel.cancel()
        for worker in self._workers.values():
            worker.shutdown(wait=False, cancel_futures=True)

    def _ready(self, name: str) -> TTSEngine:
        state = self._states[name]
        if state.state != "ready":
            raise EngineError(state.code, state.message, retryable=state.state == "loading")
        return self._engines[name]
