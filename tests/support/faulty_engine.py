"""``python -m tests.support.faulty_engine``: the engine, whose English voice fails when it is told.

The environment's FAULTS names a file: a kind (``raise``, ``mute``, ``hang``) and how many clauses
it spoils from then on. What the voice did speak is added to that file's neighbour, ``spoken``.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from unittest.mock import patch

from livekit.plugins.local.engine.tts import registry
from livekit.plugins.local.engine.tts.base import Cancellation, Voiced
from livekit.plugins.local.engine.tts.hibari import HibariEngine
from livekit.plugins.local.errors import EngineError

from agent import engine_process
from agent.settings import load

FAULTS = Path(os.environ.get("FAULTS", "/nowhere"))


class FaultyVoice(HibariEngine):
    """Hibari, until it is told otherwise."""

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Voiced]:
        """Speak one clause, or fail."""
        kind = self._fault()
        if kind == "raise":
            raise EngineError("failed", "The voice failed as it was told.", retryable=True)
        if kind == "hang":
            threading.Event().wait()  # deaf to cancelling, too
        if kind == "mute":
            return
        yield from super().synthesize(
            text, voice=voice, language=language, speed=speed, cancel=cancel
        )
        with FAULTS.with_name("spoken").open("a") as spoken:
            spoken.write(f"{text}\n")

    def _fault(self) -> str:
        kind, _, left = FAULTS.read_text().partition(" ") if FAULTS.exists() else ("", "", "")
        if not kind:
            return ""
        FAULTS.write_text(f"{kind} {int(left) - 1}" if int(left) > 1 else "")
        return kind


if __name__ == "__main__":
    engines = cast("dict[str, registry.Entry]", registry.ENGINES)
    with patch.dict(engines, {"hibari": registry.Entry(FaultyVoice)}):
        engine_process.run(load())
