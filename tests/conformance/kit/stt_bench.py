"""The bench of the speech-to-text rules."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from livekit.agents import NOT_GIVEN, NotGivenOr, stt

from tests.conformance.kit import deadlines
from tests.conformance.kit.bench import Bench, options
from tests.conformance.kit.hearing import (
    FINAL,
    INTERIM,
    PREFLIGHT,
    TRANSCRIPTS,
    Hearing,
    api_error,
)
from tests.conformance.kit.rules import Broken
from tests.conformance.kit.talking import PAUSE, frames, push, silence, utter
from tests.conformance.kit.vad import LoudnessVAD

__all__ = [
    "FINAL",
    "INTERIM",
    "PAUSE",
    "PREFLIGHT",
    "TRANSCRIPTS",
    "Hearing",
    "STTBench",
    "api_error",
    "frames",
    "listener",
    "push",
    "silence",
    "stt_bench",
    "utter",
]


@dataclass
class STTBench(Bench):
    """One plugin, ready to hear.

    Attributes:
        metrics: The metrics events that the plugin emitted.
        errors: Its error events.
    """

    plugin: stt.STT[Any] = field(kw_only=True)
    metrics: list[Any] = field(default_factory=list)
    errors: list[stt.STTError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plugin.on("metrics_collected", self.metrics.append)
        self.plugin.on("error", self.errors.append)
        self.listener = listener(self.plugin)

    @property
    def streaming(self) -> bool:
        """Whether the plugin takes audio as it is spoken; otherwise it gets whole utterances."""
        return self.plugin.capabilities.streaming

    def open(
        self,
        *,
        timeout: float = deadlines.PATIENCE,
        retries: int = 0,
        language: NotGivenOr[str] = NOT_GIVEN,
        ear: stt.STT[Any] | None = None,
    ) -> Hearing:
        """Open a stream as a session would and read it in the background; the caller closes it.

        Args:
            timeout: Connection timeout in seconds.
            retries: How often a failed attempt is repeated.
            language: Fixes the language.
            ear: Another `listener` than the one on the bench.
        """
        ear = ear or self.listener
        return Hearing(ear.stream(language=language, conn_options=options(timeout, retries)))

    @asynccontextmanager
    async def hearing(
        self,
        *,
        timeout: float = deadlines.PATIENCE,
        retries: int = 0,
        language: NotGivenOr[str] = NOT_GIVEN,
    ) -> AsyncIterator[Hearing]:
        """Open a stream as a session would, read it in the background, and close it."""
        hearing = self.open(timeout=timeout, retries=retries, language=language)
        try:
            yield hearing
        finally:
            await hearing.aclose()

    async def hear(self, *utterances: str, **speaking: Any) -> Hearing:
        """Say utterances one after another to a stream and return it when it is over.

        Args:
            utterances: Texts in the kit's vocabulary.
            speaking: See `utter`.
        """
        async with self.hearing() as hearing:
            for at, text in enumerate(utterances):
                utter(hearing.stream, text, **speaking)
                await hearing.finals(at + 1)
            hearing.stream.end_input()
            await hearing.over()
        return hearing

    async def listened(self, seconds: float) -> None:
        """Wait until that much audio came to the server's ear; whole utterances only if they end.

        Raises:
            Broken: It did not come in time.
        """
        if self.streaming:
            await self.until(
                lambda journal: journal.listened > seconds - 0.1,
                f"got {seconds:.1f} s of audio",
                deadlines.PATIENCE,
            )

    async def connected(self, before: int) -> None:
        """Wait until there have been more connections than that.

        Raises:
            Broken: There were not in time.
        """
        try:
            async with asyncio.timeout(deadlines.PATIENCE):
                while self.proxy.connections <= before:
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise Broken("the plugin did not connect") from None

    async def decoding(self, before: int = 0) -> None:
        """Wait until the server's ear has begun more decodes than that.

        Raises:
            Broken: It does not in time.
        """
        await self.until(lambda journal: journal.decodes > before, "decoded", deadlines.PATIENCE)

    async def error(self, within: float = deadlines.PATIENCE) -> None:
        """Wait until the plugin has emitted an error event.

        Raises:
            Broken: It does not in time.
        """
        try:
            async with asyncio.timeout(within):
                while not self.errors:
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise Broken("no error event was emitted") from None


def listener(plugin: stt.STT[Any]) -> stt.STT[Any]:
    """Return what a session would use: the plugin, or the framework's adapter around it."""
    if plugin.capabilities.streaming:
        return plugin
    return stt.StreamAdapter(stt=plugin, vad=LoudnessVAD())


@asynccontextmanager
async def stt_bench(bench: Bench) -> AsyncIterator[STTBench]:
    """Put a fresh plugin on the bench."""
    plugin = bench.make()
    on_bench = STTBench(bench.make, bench.server, bench.proxy, bench.soak, plugin=plugin)
    try:
        yield on_bench
    finally:
        if on_bench.listener is not plugin:
            await on_bench.listener.aclose()
        await plugin.aclose()
