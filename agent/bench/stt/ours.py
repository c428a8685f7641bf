"""The system under test: the plugin's stream, the engine behind it, the session's VAD beside it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing

from livekit import rtc
from livekit.agents import NOT_GIVEN, APIConnectOptions, inference
from livekit.plugins import local

from agent.bench.stt.play import Clock, Hearing, Shown, count_ends, feed, frames, transcripts
from agent.bench.stt.scene import Scene
from agent.bench.stt.turn_end import TurnEnd
from agent.caller.onset import Pcm
from agent.caller.tasks import stop as stop_tasks

# What is played faster than real time may be answered late.
_PATIENT = APIConnectOptions(max_retry=0, timeout=300.0)
_OPTIONS = APIConnectOptions(max_retry=0, timeout=30.0)


class Ours:
    """Callers of one engine; several may speak at once."""

    def __init__(self, engine: str, languages: Sequence[str], model: str, *, detect: bool) -> None:
        """Prepare; nothing is connected yet.

        Args:
            engine: Address of the engine.
            languages: What the engine is told to expect when it detects.
            model: Name of the recognition model.
            detect: Let the engine detect the language, instead of telling it.
        """
        self._stt = local.STT(engine=engine, languages=languages, model=model)
        self._vad = inference.VAD()
        self._detect = detect

    async def hear(self, scene: Scene, language: str) -> Hearing:
        """Play a scene in real time until the final transcript of its last words is there.

        Returns:
            What was heard; its processor time is that of the plugin and the session's VAD.

        Raises:
            APIError: The engine failed.
        """
        expected = await count_ends(self._vad, scene.pcm)
        heard, done = Hearing(), asyncio.Event()
        stream = self._stt.stream(
            language=NOT_GIVEN if self._detect else language, conn_options=_OPTIONS
        )
        async with aclosing(stream), aclosing(self._vad.stream()) as activity:
            clock, before = Clock(), time.process_time()

            def ask() -> None:
                heard.asked.append(clock())
                stream.flush()

            turn = TurnEnd(expected, ask)

            async def listen() -> None:
                async for shown in transcripts(stream, clock):
                    # Where the VAD heard nothing, nobody asks for a final transcript.
                    if shown.kind != "final" or heard.asked:
                        heard.shown.append(shown)
                    if shown.kind == "final" and turn.over:
                        done.set()

            def push(frame: rtc.AudioFrame) -> None:
                stream.push_frame(frame)
                activity.push_frame(frame)

            listening = asyncio.create_task(listen())
            following = asyncio.create_task(turn.follow(activity))
            # An engine that fails ends the waiting too.
            listening.add_done_callback(lambda _: done.set())
            try:
                await feed(scene.pcm, push, clock, heard, done)
                if not done.is_set():
                    stream.end_input()
                    await listening
            finally:
                await stop_tasks([listening, following])
            heard.cpu_seconds = time.process_time() - before
        heard.vad_ends = turn.ends
        return heard

    async def hear_at_once(
        self, pieces: Sequence[Pcm], language: str, *, flush_each: bool
    ) -> list[Shown]:
        """Push audio as fast as the engine takes it, and return every transcript.

        Args:
            pieces: int16 samples at 16 kHz.
            language: Two-letter code.
            flush_each: Ask for a final transcript after each piece, not only at the end.

        Raises:
            APIError: The engine failed.
        """
        stream = self._stt.stream(language=language, conn_options=_PATIENT)
        async with aclosing(stream):
            for piece in pieces:
                for frame in frames(piece):
                    stream.push_frame(frame)
                # The engine's answers are read in between; else they would pile up.
                await asyncio.sleep(0)
                if flush_each:
                    stream.flush()
            stream.end_input()
            return [shown async for shown in transcripts(stream, Clock())]

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stt.aclose()
