"""Ears that do not close as they should."""

import asyncio
from typing import Any

from livekit import rtc
from livekit.agents import stt
from livekit.agents.utils import aio
from livekit.plugins import local
from livekit.plugins.local.client import EngineConnection

from tests.conformance.kit.deadlines import CLOSE
from tests.conformance.mutants.stt_ear import Ear, Stream, mutant


class ClosesSlowly(Stream):
    async def aclose(self) -> None:
        if not self._task.done():
            await asyncio.sleep(2 * CLOSE)
        await super().aclose()


class GoesOnAfterClose(Stream):
    async def aclose(self) -> None:
        self._event_ch.close()
        # What is heard from now on goes nowhere, and so does not end the stream after all.
        self._event_ch = aio.Chan[stt.SpeechEvent]()


class LeavesTask(Stream):
    async def _run(self) -> None:
        self.memory = asyncio.create_task(asyncio.Event().wait())
        await super()._run()


class ClosesOnce(Stream):
    closing = False

    async def aclose(self) -> None:
        if self.closing:
            raise RuntimeError("closed already")
        self.closing = True
        await super().aclose()
        self.closing = False


class LeavesStreamsOpen(Ear):
    async def aclose(self) -> None:
        """Leave everything as it is."""


class OpensAgain(Ear):
    async def aclose(self) -> None:
        await super().aclose()
        self._connection = EngineConnection(self._connection.address)


class TakesAudioAfterClose(Stream):
    def push_frame(self, frame: rtc.AudioFrame) -> None:
        if not self._input_ch.closed:
            super().push_frame(frame)

    def flush(self) -> None:
        if not self._input_ch.closed:
            super().flush()

    def end_input(self) -> None:
        if not self._input_ch.closed:
            super().end_input()


class LeaksConnections(Ear):
    """Keeps a connection of its own for each stream."""

    def stream(self, **options: Any) -> local.stt.SpeechStream:
        self._leaks = [*getattr(self, "_leaks", []), asyncio.create_task(self._leak())]
        return super().stream(**options)

    async def _leak(self) -> None:
        host, _, port = self._connection.address.removeprefix("http://").rpartition(":")
        self._open = [*getattr(self, "_open", []), await asyncio.open_connection(host, int(port))]


MUTANTS = (
    mutant(
        "slow close",
        ClosesSlowly,
        "close_while_connecting",
        "close_amid_utterance",
        "close_before_final",
        "close_between_attempts",
    ),
    mutant("goes on after close", GoesOnAfterClose, "close_amid_utterance"),
    mutant("task left after close", LeavesTask, "nothing_stays"),
    mutant("second close fails", ClosesOnce, "close_twice"),
    mutant(
        "plugin leaves streams open",
        LeavesStreamsOpen,
        "plugin_closes_streams",
        "closed_plugin_refuses",
        "nothing_stays",
    ),
    mutant("plugin opens again after close", OpensAgain, "closed_plugin_refuses"),
    mutant("audio vanishes after close", TakesAudioAfterClose, "closed_stream_refuses"),
    mutant("connection left after close", LeaksConnections, "nothing_stays"),
)
