"""A voice that needs no engine: the program `espeak-ng`, run by the job process itself."""

import asyncio
import shutil
from collections.abc import Callable
from typing import Never

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    APIConnectionError,
    APIConnectOptions,
    APITimeoutError,
    tts,
    utils,
)
from livekit.plugins.local.registration import register

register()

_PROGRAM = "espeak-ng"
_SAMPLE_RATE = 22_050
_WORDS_PER_MINUTE = 175


class EspeakTTS(tts.TTS[Never]):
    """Robotic text to speech for when the engine is away: 22.05 kHz, 16-bit, mono."""

    def __init__(self, *, language: Callable[[], str], speed: float = 1.0) -> None:
        """Create the plugin; nothing runs until something is to be said.

        Args:
            language: Tells the language code of the text.
            speed: 0.5 to 2; 1 is the voice's own rate.
        """
        super().__init__(
            # The framework's adapter, which cuts the text, times it by the sentence.
            capabilities=tts.TTSCapabilities(streaming=False, aligned_transcript=True),
            sample_rate=_SAMPLE_RATE,
            num_channels=1,
        )
        self._language = language
        self._speed = speed

    @staticmethod
    def installed() -> bool:
        """Tell whether the program is there."""
        return shutil.which(_PROGRAM) is not None

    @property
    def model(self) -> str:
        """The program's name."""
        return _PROGRAM

    @property
    def provider(self) -> str:
        """Always ``local``."""
        return "local"

    @property
    def command(self) -> list[str]:
        """What is run for the language of this moment: text on its input, a WAV on its output."""
        rate = str(round(_WORDS_PER_MINUTE * self._speed))
        # -b 1: UTF-8; -z: no pause at the end.
        return [
            _PROGRAM,
            "--stdin",
            "--stdout",
            "-z",
            "-b",
            "1",
            "-v",
            self._language(),
            "-s",
            rate,
        ]

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "_ChunkedStream":
        """Speak a whole text."""
        return _ChunkedStream(self, text, conn_options, self.command)


class _ChunkedStream(tts.ChunkedStream):
    """One text."""

    def __init__(
        self, plugin: EspeakTTS, text: str, conn_options: APIConnectOptions, command: list[str]
    ) -> None:
        super().__init__(tts=plugin, input_text=text, conn_options=conn_options)
        self._command = command

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid(),
            sample_rate=_SAMPLE_RATE,
            num_channels=1,
            mime_type="audio/pcm",
        )
        try:
            async with asyncio.timeout(self._conn_options.timeout):
                wav = await self._speak()
        except TimeoutError:
            raise APITimeoutError("espeak-ng did not answer in time") from None
        except OSError as error:
            raise APIConnectionError(f"espeak-ng cannot be run ({error.strerror})") from None
        _, _, content = wav.partition(b"data")
        pcm = content[4:]  # after the chunk's length, which a program that streams does not know
        if not pcm:
            raise APIConnectionError("espeak-ng made no audio")
        output_emitter.push(pcm)
        output_emitter.flush()

    async def _speak(self) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            # Double brackets would switch to phoneme mnemonics.
            wav, _ = await process.communicate(self._input_text.replace("[[", "[ [").encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return wav
