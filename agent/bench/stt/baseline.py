"""What a user has without this project, in a process of its own.

``livekit.agents.stt.StreamAdapter`` waits for the end of speech, then `WhisperModel.transcribe`, at
its defaults, decodes what was said. ``silero`` is the adapter with ``livekit-plugins-silero`` at
its defaults (0.55 s of silence), ``native`` with the framework's own VAD (0.25 s). ``reference``
is no stream at all: the whole clip, full context, greedy search without fallback.

The process reads one JSON object per line and answers each with one:
``{"path", "language", "system"}`` → the fields of `Hearing`.
"""

import asyncio
import json
import sys
import time
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Never

import numpy as np
from faster_whisper import WhisperModel
from livekit.agents import (
    NOT_GIVEN,
    APIConnectOptions,
    LanguageCode,
    NotGivenOr,
    inference,
    stt,
    utils,
)
from livekit.agents.utils import AudioBuffer, is_given
from livekit.plugins import silero

from agent.bench.corpus import RATE, read_recording
from agent.bench.stt.play import Clock, Hearing, Shown, count_ends, feed, transcripts
from agent.bench.stt.scene import Scene, stage
from agent.caller.tasks import stop as stop_tasks


class PlainWhisper(stt.STT[Never]):
    """`WhisperModel.transcribe` as a batch STT.

    Attributes:
        decoded: How many utterances were decoded, with or without words.
    """

    def __init__(self, model: WhisperModel, language: str = "en") -> None:
        """Args: model: The model; language: What is spoken, where nobody says."""
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._whisper = model
        self._language = language
        self.decoded = 0

    async def _recognize_impl(
        self,
        buffer: AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,
        conn_options: APIConnectOptions,
    ) -> stt.SpeechEvent:
        frame = utils.combine_frames(buffer)
        audio = np.frombuffer(frame.data, np.int16).astype(np.float32) / 32768.0
        spoken = language if is_given(language) else self._language
        text = await asyncio.to_thread(self._transcribe, audio, spoken)
        self.decoded += 1
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[stt.SpeechData(language=LanguageCode(spoken), text=text)],
        )

    def _transcribe(self, audio: np.ndarray, language: str) -> str:
        segments, _ = self._whisper.transcribe(audio, language=language)
        return " ".join(segment.text.strip() for segment in segments)


class Baseline:
    """The model and the two detectors."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model
        self._detectors = {"silero": silero.VAD.load(), "native": inference.VAD()}

    async def answer(self, path: str, language: str, system: str) -> Hearing:
        """Play the clip at ``path`` to ``system``."""
        recording = await asyncio.to_thread(read_recording, Path(path))
        if system != "reference":
            return await self._hear(stage(recording), language, system)
        text = await asyncio.to_thread(self._reference, recording.pcm, language)
        return Hearing([Shown("final", text, 0.0)], played=len(recording.pcm) / RATE)

    def _reference(self, pcm: np.ndarray, language: str) -> str:
        segments, _ = self._model.transcribe(
            pcm.astype(np.float32) / 32768.0,
            language=language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)

    async def _hear(self, scene: Scene, language: str, system: str) -> Hearing:
        detector = self._detectors[system]
        heard, done = Hearing(), asyncio.Event()
        heard.vad_ends = await count_ends(detector, scene.pcm)
        whisper = PlainWhisper(self._model)
        stream = stt.StreamAdapter(stt=whisper, vad=detector).stream(language=language)
        async with aclosing(stream):
            clock, before = Clock(), time.process_time()

            async def listen() -> None:
                async for shown in transcripts(stream, clock):
                    heard.shown.append(shown)
                    if whisper.decoded >= heard.vad_ends:
                        done.set()

            listening = asyncio.create_task(listen())
            listening.add_done_callback(lambda _: done.set())
            try:
                await feed(scene.pcm, stream.push_frame, clock, heard, done)
                stream.end_input()
                await listening
            finally:
                await stop_tasks([listening])
            heard.cpu_seconds = time.process_time() - before
        return heard


async def _serve(model: WhisperModel) -> None:
    baseline = Baseline(model)
    _reply({"ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        request: dict[str, str] = json.loads(line)
        _reply(asdict(await baseline.answer(**request)))


def _reply(body: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(body) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    loaded = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", local_files_only=True)
    asyncio.run(_serve(loaded))
