"""Speaks for all calls: from the cache, with the chosen voice, or with one that stands in."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from functools import partial

from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.text.speakable import is_speakable, speakable
from livekit.plugins.local.engine.tts.base import Phoneme, TTSEngine
from livekit.plugins.local.engine.tts.cache import LONGEST_TEXT, PhraseCache, Recipe
from livekit.plugins.local.engine.tts.phrase_store import PhraseStore
from livekit.plugins.local.engine.tts.recording import Recording
from livekit.plugins.local.engine.tts.recovery import Patience
from livekit.plugins.local.engine.tts.rendition import Clause, Rendition
from livekit.plugins.local.engine.tts.voices import Choice, VoiceBook
from livekit.plugins.local.engine.tts.worker import EngineState, VoiceWorker
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE

SPEEDS = (0.5, 2.0)
"""Slowest and fastest rate of speech."""

logger = logging.getLogger(__name__)


class Synthesizer:
    """Loads engines and speaks with them.

    Args:
        engines: The engines to use.
        configured: Voice (``engine/name``) per two-letter language.
        cache: What was spoken before; None speaks everything anew.
        models: Hash of the models of an engine, by its name.
        patience: How long an engine may take.
        on_trouble: Is told an engine's name and a sentence, empty when it works again.
    """

    def __init__(
        self,
        engines: Iterable[TTSEngine],
        configured: Mapping[str, str],
        *,
        cache: PhraseCache | None = None,
        models: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        on_trouble: Callable[[str, str], None] | None = None,
    ) -> None:
        self._workers = {
            engine.name: VoiceWorker(engine, patience=patience, on_trouble=on_trouble)
            for engine in engines
        }
        self._cache = cache
        self._models = models or {}
        self._flights: dict[str, Rendition] = {}
        self._closed = False
        self.voices = VoiceBook(configured, self._workers)

    @property
    def states(self) -> Mapping[str, EngineState]:
        """Whether each engine has been loaded, by name."""
        return {name: worker.state for name, worker in self._workers.items()}

    async def load(self, name: str) -> None:
        """Load one engine on its thread; `states` tells how it went."""
        worker = self._workers[name]
        await worker.load()
        if worker.state.state == "ready":
            try:
                self.voices.add(name, worker.engine.voices())
            except EngineError as error:
                worker.state = EngineState.failed(error)

    async def synthesize(
        self,
        text: str,
        *,
        voice: str | None,
        language: str,
        speed: float = 1.0,
        due: float | None = None,
        phonemes: list[Phoneme] | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Speak one clause or sentence.

        An engine that fails before its first audio is stood in for: by another that speaks the
        language, at last by espeak. A clause that breaks off later ends there, if somebody can
        speak the next one: what was heard is not said again.

        Closing the generator cancels the work at once and does not wait for it: use
        `contextlib.aclosing`, or cancel the task that iterates.

        Args:
            text: Any text; Markdown, emoji and the like are not spoken.
            voice: ``engine/name``; None for the language's own.
            language: Language code of the text.
            speed: 1.0 is the voice's own rate.
            due: Time of the event loop at which the caller runs out of audio; None for now.
            phonemes: Is given what is said in the audio, before it is yielded, with times from the
                clause's beginning; stays empty for an engine that does not tell.

        Yields:
            PCM, s16le mono at `TTS_SAMPLE_RATE`, each chunk as soon as it is made; nothing if
            there is nothing to say.

        Raises:
            EngineError: No such voice or language, or no engine could speak.
        """
        choice = self.voices.resolve(voice, language)
        text = _checked(text, choice.language, speed)
        if not is_speakable(text):
            return
        if due is None:
            due = asyncio.get_running_loop().time()
        choices = [choice, *self.voices.stand_ins(choice)]
        failure: EngineError | None = None
        told: list[Phoneme] = [] if phonemes is None else phonemes
        for each in choices:
            patient = each is choices[-1]
            spoke = False
            try:
                speech = self._speak(each, text, speed, due, told, patient=patient)
                async with aclosing(speech) as audio:
                    async for pcm in audio:
                        if not spoke and each is not choice:
                            metrics.STAND_INS.labels(choice.engine, each.engine).inc()
                        spoke = True
                        yield pcm
                return
            except EngineError as error:
                if spoke and len(choices) > 1 and not self._closed:
                    metrics.CLAUSES_CUT.labels(each.engine).inc()
                    logger.warning("a clause broke off: %s", error.message)
                    return
                # What the chosen voice said of it helps more than what the last resort did.
                failure = failure or error
                if spoke or self._closed:
                    break
        assert failure
        raise failure

    def pace(self, text: str, *, voice: str | None, language: str, speed: float) -> float:
        """Return the seconds per character, as `VoiceWorker.pace`; 0 for a text known by heart.

        Args: as `synthesize`.

        Raises:
            EngineError: No such voice or language.
        """
        choice = self.voices.resolve(voice, language)
        worker = self._workers[choice.engine]
        if worker.pace and self._cache and len(text) <= LONGEST_TEXT:
            spoken = _checked(text, choice.language, speed)
            if self._cache.get(self._recipe(choice, spoken, speed).key):
                return 0.0
        return worker.pace

    async def declare(
        self, text: str, *, language: str, speed: float, store: PhraseStore | None
    ) -> None:
        """Have a clause ready that will be said often, with the language's own voice.

        Args:
            text: The clause.
            language: Language code.
            speed: Rate of speech.
            store: Where it is kept for the next engine: only for text that is not about anybody.

        Raises:
            EngineError: As `synthesize`.
        """
        choice = self.voices.resolve(None, language)
        text = _checked(text, choice.language, speed)
        if self._cache is None or not is_speakable(text):
            return
        key = self._recipe(choice, text, speed).key
        packed = await asyncio.to_thread(store.read, key) if store else None
        if packed is None:
            due = asyncio.get_running_loop().time()
            told: list[Phoneme] = []
            speech = self._speak(choice, text, speed, due, told, patient=True)
            async with aclosing(speech) as audio:
                packed = Recording(b"".join([pcm async for pcm in audio]), told).pack()
            if store:
                await asyncio.to_thread(store.write, key, packed)
        self._cache.put(key, packed, keep=True)

    def close(self) -> None:
        """Cancel all work; running and later requests end with an error."""
        self._closed = True
        for worker in self._workers.values():
            worker.close()

    async def _speak(
        self,
        choice: Choice,
        text: str,
        speed: float,
        due: float,
        told: list[Phoneme],
        *,
        patient: bool,
    ) -> AsyncGenerator[bytes, None]:
        """Speak with one voice, or repeat what it said before; `told` becomes what is said."""
        worker = self._workers[choice.engine]
        key = ""
        rendition: Rendition | None = None
        if self._cache and len(text) <= LONGEST_TEXT and worker.state.state == "ready":
            key = self._recipe(choice, text, speed).key
            if packed := self._cache.get(key):
                metrics.CACHE_LOOKUPS.labels("hit").inc()
                pcm, told[:] = Recording.unpack(packed)
                yield pcm
                return
            rendition = self._flights.get(key)
            metrics.CACHE_LOOKUPS.labels("joined" if rendition else "miss").inc()
        if rendition is None:
            clause = Clause(text, choice.voice, choice.language, speed)
            rendition = worker.speak(clause, due, patient=patient)
            if key and not rendition.ended:
                self._flights[key] = rendition
                rendition.on_end = partial(self._landed, key)
        rendition.due = min(rendition.due, due)
        async with aclosing(rendition.listen()) as speech:
            async for pcm in speech:
                told[:] = rendition.phonemes
                yield pcm

    def _landed(self, key: str, rendition: Rendition) -> None:
        self._flights.pop(key, None)
        if rendition.error is None and self._cache:
            self._cache.put(key, Recording(rendition.audio, rendition.phonemes).pack())

    def _recipe(self, choice: Choice, text: str, speed: float) -> Recipe:
        engine = self._workers[choice.engine].engine
        return Recipe(
            engine=engine.name,
            version=engine.version,
            model=self._models.get(engine.name, ""),
            voice=choice.voice,
            language=choice.language,
            speed=speed,
            sample_rate=TTS_SAMPLE_RATE,
            text=text,
        )


def _checked(text: str, language: str, speed: float) -> str:
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise EngineError(
            "bad_request", f"speed is {speed}, but must be from {SPEEDS[0]} to {SPEEDS[1]}."
        )
    return speakable(text, language)
