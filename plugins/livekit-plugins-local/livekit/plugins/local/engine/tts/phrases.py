"""Speaking ahead of time what will be said often."""

import logging
from collections.abc import Iterable

from livekit.plugins.local.engine.text.segmenter import Segmenter
from livekit.plugins.local.engine.tts.phrase_store import PhraseStore
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.errors import EngineError

_log = logging.getLogger(__name__)


async def prepare(
    synthesizer: Synthesizer,
    texts: Iterable[str],
    *,
    language: str,
    speed: float,
    store: PhraseStore | None,
) -> None:
    """Have phrases in the cache, clause by clause, as a stream of text is cut.

    What cannot be spoken now is left out: it will be when it is needed.

    Args:
        synthesizer: The voices; the language's own must be loaded.
        texts: The phrases; nothing about anybody.
        language: Language code.
        speed: Rate of speech.
        store: Where they are kept for the next engine, if anywhere.
    """
    for text in texts:
        segmenter = Segmenter(language)
        for clause in [*segmenter.push(text), *segmenter.flush()]:
            try:
                await synthesizer.declare(clause, language=language, speed=speed, store=store)
            except EngineError as error:
                _log.warning("a phrase was not prepared: %s", error.message)
                return
