"""espeak-ng: a robotic voice for nearly every language; the last resort, in its own process."""

import re
import subprocess
import wave
from collections.abc import Iterator

import numpy as np
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples
from livekit.plugins.local.engine.tts.espeak_program import espeak_path
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.packages import ESPEAK

_WORDS_PER_MINUTE = 175
_CHUNK_SECONDS = 0.1
_LIST_TIMEOUT_SECONDS = 10.0
# A row of `espeak-ng --voices`: priority, language, gender, name, file, "(other language 5)"…
_ROW = re.compile(r"^ *\d+ +(\S+) +\S+ +\S+ +\S+ *(.*)$", re.MULTILINE)
_OTHER_LANGUAGE = re.compile(r"\((\S+) \d+\)")


class EspeakEngine:
    """Runs the program `espeak-ng` once per clause.

    Its voices are named by language, ``fr``, or by dialect, ``fr-be``.
    """

    name = "espeak"
    sample_rate = 22_050
    version = ""
    streaming = True

    def __init__(self, context: EngineContext) -> None:
        self._path = ""
        self._voices: dict[str, frozenset[str]] = {}

    def voices(self) -> dict[str, frozenset[str]]:
        """Return a voice for each language, and those for dialects."""
        return self._voices

    def load(self) -> None:
        """Find the program and ask it for its languages."""
        self._path = espeak_path(ESPEAK.what)
        self.version = self._ask("--version").partition(":")[2].split()[0]
        codes: set[str] = set()
        for language, others in _ROW.findall(self._ask("--voices")):
            codes.update({language, *_OTHER_LANGUAGE.findall(others)})
        codes |= {code.partition("-")[0] for code in codes}
        self._voices = {
            code: frozenset({code[:2]})
            for code in sorted(codes)
            if len(code.partition("-")[0]) == 2
        }

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        """Speak one clause or sentence; cancelling kills the process."""
        rate = str(round(_WORDS_PER_MINUTE * speed))
        # -b 1: UTF-8; -z: no pause at the end.
        command = [self._path, "--stdin", "--stdout", "-z", "-b", "1", "-v", voice, "-s", rate]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with process, cancel.calling(process.kill):
            try:
                yield from self._speak(process, text)
            except (OSError, EOFError, wave.Error) as error:
                if not cancel.cancelled:
                    raise EngineError(
                        "failed",
                        f"espeak-ng could not speak: {error or 'it broke off'}.",
                        retryable=True,
                    ) from error
            finally:
                process.kill()

    def _speak(self, process: "subprocess.Popen[bytes]", text: str) -> Iterator[Samples]:
        assert process.stdin and process.stdout
        # Double brackets would switch to phoneme mnemonics.
        process.stdin.write(text.replace("[[", "[ [").encode())
        process.stdin.close()
        with wave.open(process.stdout) as audio:
            if audio.getframerate() != self.sample_rate:
                raise wave.Error(f"its sample rate is {audio.getframerate()} Hz")
            while pcm := audio.readframes(round(self.sample_rate * _CHUNK_SECONDS)):
                yield np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0

    def _ask(self, option: str) -> str:
        try:
            done = subprocess.run(
                [self._path, option],
                capture_output=True,
                timeout=_LIST_TIMEOUT_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineError("failed", f"espeak-ng does not run: {error}") from error
        return done.stdout.decode()
