"""Finds out, now and then, whether a broken voice engine works again."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.model_thread import Runner
from livekit.plugins.local.engine.tts.base import Cancellation, TTSEngine
from livekit.plugins.local.engine.tts.breaker import Breaker
from livekit.plugins.local.errors import EngineError

_PROBE = "1, 2, 3."
_SHORT_TEXT = 40
_STATES = {"closed": 0, "half-open": 1, "open": 2}
# An abandoned thread keeps its memory: no engine gets more than these.
_THREADS = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a voice engine may take, in seconds.

    Attributes:
        short: Until the first audio of a clause of up to 40 characters, and until each further
            piece; more for longer clauses, in proportion.
        last: The same when nobody else could say it.
        margin: What a stand-in needs: an engine may be late as long as the caller has more audio.
        probe: How long the audio of a probe may take, for which nobody waits.
        stop: Until it stops when it was late; others wait for their audio meanwhile.
        leave: Until it stops when its listener left.
        hang: Until a thread that does not stop is given up.
        load: How long loading it anew may take.
        slack: How many times as long as usual the first audio may take, where the engine is slower
            here than ``short`` allows: a slow voice is not a broken one.
    """

    short: float = 0.8
    last: float = 10.0
    margin: float = 0.5
    probe: float = 2.0
    stop: float = 0.2
    leave: float = 1.0
    hang: float = 5.0
    load: float = 60.0
    slack: float = 3.0

    def audio(
        self, text: str, *, pace: float = 0.0, in_hand: float = 0.0, patient: bool = False
    ) -> float:
        """Return how long the next audio of a text may take.

        Args:
            text: The clause.
            pace: Seconds per character that the engine usually needs.
            in_hand: Seconds of audio that the caller still has.
            patient: Whether nobody else could say it.
        """
        seconds = max(
            self.short * max(1.0, len(text) / _SHORT_TEXT),
            self.slack * pace * len(text),
            in_hand - self.margin,
        )
        return max(seconds, self.last) if patient else seconds


class Recovery:
    """Probes one engine in the background, with growing pauses: no caller pays for a probe.

    A thread that hangs is replaced, and the engine is loaded anew on the new one.
    """

    def __init__(
        self,
        engine: TTSEngine,
        breaker: Breaker,
        patience: Patience,
        runner: Runner,
        say: Callable[[str], None],
    ) -> None:
        """Args: see `VoiceWorker`; `say` is told what is wrong, empty for nothing."""
        self._engine = engine
        self._breaker = breaker
        self._patience = patience
        self._runner = runner
        self._say = say
        self._task: asyncio.Task[None] | None = None
        self._hung: asyncio.Task[None] | None = None
        self._freed: Callable[[], None] | None = None
        self._must_load = False
        self._abandoned = 0

    def start(self, hung: "asyncio.Task[None] | None", freed: Callable[[], None] | None) -> None:
        """Begin to probe; the breaker is open.

        Args:
            hung: Work that does not end, if there is some.
            freed: Called once the engine's thread can take work again.
        """
        if hung:
            self._hung, self._freed = hung, freed
        self._show()
        self._say(
            f"The voice engine {self._engine.name} does not work; others speak until it does."
        )
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._recover(), name=f"tts-{self._engine.name}")

    def close(self) -> None:
        """Stop probing."""
        if self._task:
            self._task.cancel()

    async def _recover(self) -> None:
        name = self._engine.name
        logger.warning("voice engine %s does not work; it is left alone for a while", name)
        while self._abandoned <= _THREADS:
            await asyncio.sleep(self._breaker.delay)
            self._breaker.probe()
            self._show()
            works = await self._probe()
            self._breaker.probed(works=works)
            self._show()
            if works:
                logger.warning("voice engine %s works again", name)
                self._say("")
                return
        message = f"The voice engine {name} hangs again and again; start the engine again."
        logger.error("%s", message)
        self._say(message)

    async def _probe(self) -> bool:
        if self._hung:
            await asyncio.wait({self._hung}, timeout=self._patience.hang)
            if not self._hung.done():
                self._abandon()
            self._hung = None
            if self._freed:
                self._freed()
        try:
            if self._must_load:
                await self._attempt(self._engine.load, self._patience.load)
                self._must_load = False
            await self._attempt(self._speak, self._patience.probe)
        except Exception as error:  # noqa: BLE001 - foreign code; another probe will come
            logger.info("voice engine %s: %s", self._engine.name, error)
            return False
        return True

    async def _attempt(self, work: Callable[[], None], seconds: float) -> None:
        running = asyncio.create_task(self._runner.run(work))
        try:
            done, _ = await asyncio.wait({running}, timeout=seconds)
            if not done:
                await asyncio.wait({running}, timeout=self._patience.hang)
                if not running.done():
                    self._abandon()
                raise EngineError("failed", "its probe took too long")
            running.result()
        finally:
            running.cancel()

    def _abandon(self) -> None:
        self._runner.abandon()
        self._abandoned += 1
        self._must_load = True

    def _speak(self) -> None:
        voice, languages = next(iter(self._engine.voices().items()))
        audio = self._engine.synthesize(
            _PROBE, voice=voice, language=min(languages), speed=1.0, cancel=Cancellation()
        )
        if not sum(len(samples) for samples in audio):
            raise EngineError("failed", "it made no audio")

    def _show(self) -> None:
        metrics.VOICE_STATE.labels(self._engine.name).set(_STATES[self._breaker.state])
