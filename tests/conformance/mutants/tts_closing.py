"""Voices that close slowly, halfway or for ever, and those that leave things behind."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet, finalize

import aiohttp
from livekit.agents import tts
from livekit.plugins import local
from livekit.plugins.local.client import EngineConnection, EngineStream

from tests.conformance.kit import deadlines
from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Emitter, Voice, voice

_LONG = 3 * deadlines.LATE
"""Seconds after which what was left behind ends by itself, too late for every rule."""


class _ClosesSlowly(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        try:
            await super()._run(output_emitter)
        except asyncio.CancelledError:
            await asyncio.sleep(2 * deadlines.CLOSE)
            raise


class _ConnectsOn(EngineConnection):
    async def _connect(self, path: str) -> aiohttp.ClientWebSocketResponse:
        return await asyncio.shield(asyncio.create_task(super()._connect(path)))


class _TellsNobody(EngineConnection):
    """Leaves the server at work when it is interrupted."""

    @asynccontextmanager
    async def stream(
        self, path: str, start: object, *, timeout: float
    ) -> AsyncIterator[EngineStream]:
        opened = super().stream(path, start, timeout=timeout)
        stream = await opened.__aenter__()
        try:
            yield stream
        except asyncio.CancelledError:
            self.late = asyncio.create_task(self._close_late(opened))
            raise
        except BaseException as error:
            await opened.__aexit__(type(error), error, error.__traceback__)
            raise
        else:
            await opened.__aexit__(None, None, None)

    async def _close_late(self, opened: Any) -> None:
        try:
            await asyncio.sleep(_LONG)
        finally:
            await opened.__aexit__(None, None, None)


class _ClosesOnce(local.SynthesizeStream):
    was_closed = False

    async def aclose(self) -> None:
        if self.was_closed:
            raise RuntimeError("the stream was closed before")
        self.was_closed = True
        await super().aclose()


class _ClosesEachOnce(Voice):
    opens = _ClosesOnce

    async def aclose(self) -> None:
        streams = [stream for stream in self._streams if isinstance(stream, _ClosesOnce)]
        self._streams = WeakSet(stream for stream in streams if not stream.was_closed)
        await super().aclose()


class _LeavesTask(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        self.left = asyncio.create_task(asyncio.sleep(_LONG), name="left behind")
        await super()._run(output_emitter)


class _LeavesDescriptor(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        descriptor = os.open(os.devnull, os.O_RDONLY)
        # It outlives the plugin, but not the test.
        finalize(asyncio.get_running_loop(), os.close, descriptor)
        await super()._run(output_emitter)


class _LeavesThread(local.SynthesizeStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        threading.Thread(target=threading.Event().wait, args=(_LONG,), daemon=True).start()
        await super()._run(output_emitter)


class _NeverCloses(Voice):
    async def aclose(self) -> None:
        if all(stream._task.done() for stream in self._streams):
            await super().aclose()


class _Revives(EngineConnection):
    async def aclose(self) -> None:
        await super().aclose()
        self._closed = False


class _Few(Voice):
    """Refuses what is more than ten streams at once."""

    def stream(self, **options: Any) -> local.SynthesizeStream:
        stream = super().stream(**options)
        if len([one for one in self._streams if not one._task.done()]) > 10:
            stream._task.cancel()
        return stream


class _Keeping(Emitter):
    def push(self, data: bytes) -> None:
        _kept.append([data[at : at + 10] for at in range(0, len(data), 10)])
        self.emitter.push(data)


_kept: list[list[bytes]] = []

_LEFT = frozenset({"tts_nothing_is_left"})

MUTANTS = (
    Mutant(
        "closes slowly",
        "tts",
        voice(stream=_ClosesSlowly),
        frozenset({"tts_close_on_connect", "tts_close_before_audio", "tts_close_in_mid_audio"}),
    ),
    Mutant(
        "connects on after the end",
        "tts",
        voice(connection=_ConnectsOn),
        frozenset({"tts_close_on_connect"}),
    ),
    Mutant(
        "tells nobody that it closed",
        "tts",
        voice(connection=_TellsNobody),
        frozenset({"tts_close_before_audio", "tts_close_in_mid_audio"}),
    ),
    Mutant("closes only once", "tts", _ClosesEachOnce, frozenset({"tts_close_twice"})),
    Mutant("leaves a task", "tts", voice(stream=_LeavesTask), _LEFT),
    Mutant("leaves a descriptor", "tts", voice(stream=_LeavesDescriptor), _LEFT),
    Mutant("leaves a thread", "tts", voice(stream=_LeavesThread), _LEFT),
    Mutant("never closes", "tts", _NeverCloses, frozenset({"tts_plugin_closes_its_streams"})),
    Mutant(
        "comes back to life", "tts", voice(connection=_Revives), frozenset({"tts_use_after_close"})
    ),
    Mutant("serves ten", "tts", _Few, frozenset({"tts_many_at_once"})),
    Mutant("keeps all audio", "tts", voice(emitter=_Keeping), frozenset({"tts_many_in_sequence"})),
)
