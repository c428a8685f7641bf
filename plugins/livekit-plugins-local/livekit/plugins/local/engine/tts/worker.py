"""One voice engine at work: its thread, its queue, its deadlines."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.model_thread import ModelThread, Runner
from livekit.plugins.local.engine.pacing import OVERHEAD
from livekit.plugins.local.engine.tts.audio import PcmEncoder
from livekit.plugins.local.engine.tts.base import Phoneme, TTSEngine, Voiced
from livekit.plugins.local.engine.tts.breaker import Breaker
from livekit.plugins.local.engine.tts.recovery import Patience, Recovery
from livekit.plugins.local.engine.tts.rendition import Clause, Rendition
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE

STOPPING = "The speech engine is stopping."

_MEMORY = 0.9
"""How much of the slowest pace is still believed after each faster clause."""
_WEIGHT = 0.3
"""How much the newest clause counts in the usual pace."""
_SHORT_CLAUSE = 20
"""Characters: shorter clauses say little about the pace."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineState:
    """Whether an engine has been loaded.

    Attributes:
        message: One sentence that says why not, empty otherwise.
        code: Code of the error that a request meets while the engine cannot speak.
        remedy: The part of the message that says what to do, if there is anything.
    """

    state: Literal["loading", "ready", "failed"]
    message: str = ""
    code: str = "not_ready"
    remedy: str = ""

    @classmethod
    def failed(cls, error: EngineError) -> Self:
        """Return the state of an engine that an error keeps from working."""
        return cls("failed", error.message, error.code, error.remedy)

    def error(self) -> EngineError:
        """Return what a request meets while it cannot speak."""
        retryable = self.state == "loading"
        return EngineError(self.code, self.message, retryable=retryable, remedy=self.remedy)


class VoiceWorker:
    """Speaks one clause at a time, always the one that somebody needs first.

    Calls are treated alike by that: one that has seconds of audio in hand lets the others go
    ahead, and those that have none are served in the order in which they came.

    Attributes:
        engine: The engine.
        state: Whether it has been loaded.
        breaker: Whether it is worth asking.
    """

    def __init__(
        self,
        engine: TTSEngine,
        *,
        patience: Patience | None = None,
        breaker: Breaker | None = None,
        runner: Runner | None = None,
        on_trouble: Callable[[str, str], None] | None = None,
    ) -> None:
        """Prepare; nothing is loaded yet.

        Args:
            engine: The engine.
            patience: How long it may take.
            breaker: For tests.
            runner: Where it runs; a thread of its own unless given.
            on_trouble: Is told the engine's name and a sentence, empty when all is well again.
        """
        self.engine = engine
        self.state = EngineState("loading", f"The voice engine {engine.name} is still loading.")
        self.breaker = breaker or Breaker()
        self._patience = patience or Patience()
        self._runner = runner or ModelThread(f"tts-{engine.name}")
        self._on_trouble = on_trouble
        self._recovery = Recovery(engine, self.breaker, self._patience, self._runner, self._say)
        self._waiting: list[Rendition] = []
        self._running: asyncio.Task[None] | None = None
        self._current: Rendition | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stuck = False
        self._pace = self._usual = 0.0
        self._began = 0.0
        metrics.VOICE_STATE.labels(engine.name).set(0)

    @property
    def pace(self) -> float:
        """Seconds that each character of a clause, and its `OVERHEAD`, has taken of late.

        Until its audio came; 0 if not known.
        """
        return self._usual

    async def load(self) -> None:
        """Load the engine on its thread; `state` tells how it went."""
        name = self.engine.name
        try:
            await self._runner.run(self.engine.load)
        except EngineError as error:
            self.state = EngineState.failed(error)
        except Exception as error:
            # An engine is foreign code: whatever it raises, the others still work.
            logger.exception("voice engine %s did not load", name)
            message = f"The voice engine {name} did not load: {type(error).__name__}: {error}"
            self.state = EngineState("failed", message, "failed")
        else:
            self._pace = getattr(self.engine, "pace", 0.0)
            self.state = EngineState("ready")

    def check(self, *, patient: bool) -> None:
        """Raise what a request is refused with now, if it is.

        Args:
            patient: Whether nobody else could say it; only an engine that hangs is refused then.
        """
        if self.state.state != "ready":
            raise self.state.error()
        if self._stuck or (self.breaker.state != "closed" and not patient):
            raise self._broken()

    def speak(self, clause: Clause, due: float, *, patient: bool) -> Rendition:
        """Queue a clause.

        Args:
            clause: What to say.
            due: Time of the event loop at which the caller runs out of audio.
            patient: Whether nobody else could say it.

        Raises:
            EngineError: The engine is not loaded or is not worth asking now.
        """
        self.check(patient=patient)
        rendition = Rendition(clause, due, patient=patient)
        rendition.on_left = self._left
        self._waiting.append(rendition)
        self._next()
        return rendition

    def close(self) -> None:
        """Cancel all work; what runs, waits or comes later ends with an error."""
        self.state = EngineState("failed", STOPPING)
        self._recovery.close()
        self._stop_timer()
        self._refuse(lambda: EngineError("not_ready", STOPPING))
        if self._running:
            self._running.cancel()
        if isinstance(self._runner, ModelThread):
            self._runner.stop()

    def _next(self) -> None:
        if self._running or self._stuck:
            return
        self._waiting = [each for each in self._waiting if not each.ended]
        if not self._waiting:
            return
        rendition = min(self._waiting, key=lambda each: each.due)
        self._waiting.remove(rendition)
        self._current = rendition
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        self._expect(rendition)
        self._running = loop.create_task(self._run(rendition))

    async def _run(self, rendition: Rendition) -> None:
        loop = asyncio.get_running_loop()
        error: Exception | None = None
        try:
            await self._runner.run(partial(self._perform, rendition, loop))
        except Exception as raised:  # noqa: BLE001 - foreign code; what it was is in the log
            error = raised
        self._stop_timer()
        self._current = self._running = None
        if not rendition.ended:
            self._judge(rendition, error)
        self._next()

    def _perform(self, rendition: Rendition, loop: asyncio.AbstractEventLoop) -> None:
        """Speak; runs on the engine's thread."""
        clause, cancel = rendition.clause, rendition.cancel
        encoder = PcmEncoder(self.engine.sample_rate, TTS_SAMPLE_RATE)
        made = 0

        def put(pcm: bytes, phonemes: Sequence[Phoneme] = ()) -> None:
            if pcm:
                loop.call_soon_threadsafe(self._heard, rendition, pcm, phonemes)

        if cancel.cancelled:
            return
        for spoken in self.engine.synthesize(
            clause.text,
            voice=clause.voice,
            language=clause.language,
            speed=clause.speed,
            cancel=cancel,
        ):
            samples, phonemes = spoken if isinstance(spoken, Voiced) else (spoken, ())
            before = made / self.engine.sample_rate
            put(encoder.encode(samples), [each.later(before) for each in phonemes])
            made += len(samples)
        put(encoder.finish())

    def _heard(self, rendition: Rendition, pcm: bytes, phonemes: Sequence[Phoneme]) -> None:
        if rendition is self._current and not rendition.audible:
            taken = asyncio.get_running_loop().time() - self._began
            # A busy moment is remembered for some clauses, and then forgotten.
            length = len(rendition.clause.text)
            self._pace = max(taken / max(length, _SHORT_CLAUSE), _MEMORY * self._pace)
            usual = taken / (length + OVERHEAD)
            self._usual += (usual - self._usual) * (_WEIGHT if self._usual else 1.0)
        rendition.add(pcm, phonemes)
        if rendition is self._current and not rendition.ended:
            self._expect(rendition)

    def _judge(self, rendition: Rendition, error: Exception | None) -> None:
        name = self.engine.name
        if error is None and rendition.audible:
            self.breaker.worked()
            rendition.end()
            return
        reason = "error"
        if error is None:
            reason = "no audio"
            error = EngineError("failed", f"The voice engine {name} made no audio.", retryable=True)
        elif not isinstance(error, EngineError):
            logger.error("voice engine %s failed", name, exc_info=error)
            error = EngineError(
                "failed", f"The voice engine {name} failed: {type(error).__name__}."
            )
        self._failed(reason)
        rendition.end(error)

    def _expect(self, rendition: Rendition) -> None:
        """Start the time within which the next audio must come."""
        self._stop_timer()
        loop = asyncio.get_running_loop()
        seconds = self._patience.audio(
            rendition.clause.text,
            pace=self._pace,
            in_hand=rendition.due - loop.time(),
            patient=rendition.patient,
        )
        self._timer = loop.call_later(seconds, self._late, rendition, seconds)

    def _late(self, rendition: Rendition, seconds: float) -> None:
        self._failed("late")
        message = f"The voice engine {self.engine.name} made no audio for {seconds:.1f} s."
        rendition.end(EngineError("failed", message, retryable=True))
        self._await_end(self._patience.stop)

    def _left(self, rendition: Rendition) -> None:
        if rendition is self._current:
            self._await_end(self._patience.leave)

    def _await_end(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._hangs)

    def _hangs(self) -> None:
        """Give up on work that was cancelled and does not end."""
        running = self._running
        assert running
        self._stuck = True
        self._failed("hung")
        self.breaker.trip()
        self._refuse(self._broken)

        def freed() -> None:
            self._stuck = False
            # Whoever comes back from the abandoned thread now finds nobody.
            if self._running is running:
                running.cancel()
                self._running = self._current = None

        self._recovery.start(running, freed)

    def _failed(self, reason: str) -> None:
        metrics.VOICE_FAILURES.labels(self.engine.name, reason).inc()
        if self.breaker.failed():
            self._recovery.start(None, None)

    def _refuse(self, error: Callable[[], EngineError]) -> None:
        waiting, self._waiting = self._waiting, []
        for rendition in [*waiting, *([self._current] if self._current else [])]:
            rendition.end(error())

    def _broken(self) -> EngineError:
        return EngineError(
            "failed",
            f"The voice engine {self.engine.name} does not work; it is asked again from time to "
            "time.",
            retryable=True,
        )

    def _say(self, message: str) -> None:
        if self._on_trouble and self.state.state == "ready":
            self._on_trouble(self.engine.name, message)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
