"""Piper: small neural voices that the user brings along, spoken by the program `piper`.

The program is under the GPL and therefore always a process of its own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from livekit.plugins.local.engine.tts.audio import PcmEncoder, silence, trim_silence
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples
from livekit.plugins.local.engine.tts.piper_program import PiperProgram, piper_path
from livekit.plugins.local.errors import EngineError


class PiperEngine:
    """Runs the program `piper` with the voices in the folder ``piper`` of the data directory.

    A voice is two files, ``NAME.onnx`` and ``NAME.onnx.json``. The program holds one voice at one
    rate of speech; the one that spoke last keeps running for the next clause.
    """

    name = "piper"
    sample_rate = 22_050
    version = ""

    def __init__(self, context: EngineContext) -> None:
        self._folder = context.data_dir / "piper" if context.data_dir else None
        self._path = ""
        self._rates: dict[str, int] = {}
        self._voices: dict[str, frozenset[str]] = {}
        self._program: PiperProgram | None = None
        self._key: tuple[str, float] | None = None

    def voices(self) -> dict[str, frozenset[str]]:
        """Return the voices whose files are there."""
        return self._voices

    def load(self) -> None:
        """Find the program and read what the voices say of themselves."""
        self._path = piper_path()
        for model in sorted(self._folder.glob("*.onnx")) if self._folder else ():
            language, self._rates[model.stem] = _describe(model)
            self._voices[model.stem] = frozenset({language})
        if not self._voices:
            where = self._folder or "the folder piper of the data directory"
            raise EngineError(
                "failed",
                f"There is no Piper voice in {where}; put NAME.onnx and NAME.onnx.json there.",
            )
        # A voice that was exchanged under the same name sounds different.
        self.version = " ".join(
            f"{name}:{(self._voice_path(name)).stat().st_mtime_ns}" for name in self._voices
        )

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        """Speak one clause or sentence; one that is cancelled is finished unheard."""
        program = self._running(voice, speed)
        samples = program.speak(text, cancel)
        if samples is None:
            return
        rate = self._rates[voice]
        if not len(samples):
            yield silence(0.1, self.sample_rate)
            return
        if rate != self.sample_rate:
            encoder = PcmEncoder(rate, self.sample_rate)
            pcm = encoder.encode(samples) + encoder.finish()
            samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
        yield trim_silence(samples, self.sample_rate)

    def _running(self, voice: str, speed: float) -> PiperProgram:
        if self._program is None or self._key != (voice, speed) or not self._program.alive:
            if self._program is not None:
                self._program.close()
            self._program = PiperProgram(self._path, self._voice_path(voice), speed)
            self._key = (voice, speed)
        return self._program

    def _voice_path(self, voice: str) -> Path:
        assert self._folder
        return self._folder / f"{voice}.onnx"


def _describe(model: Path) -> tuple[str, int]:
    """Return the language and the sample rate of a voice."""
    file = model.with_name(f"{model.name}.json")
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
        code = content.get("language", {}).get("code") or content["espeak"]["voice"]
        rate = int(content["audio"]["sample_rate"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise EngineError(
            "failed",
            f"The Piper voice {model.stem} has no readable {file.name} beside it; "
            "fetch both files of the voice again.",
        ) from None
    return str(code)[:2].lower(), rate
