"""What a stream of transcripts says, remembered."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from livekit.agents import APIError, stt

from tests.conformance.kit import deadlines, tones
from tests.conformance.kit.rules import Broken

FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT
INTERIM = stt.SpeechEventType.INTERIM_TRANSCRIPT
PREFLIGHT = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT
TRANSCRIPTS = (INTERIM, PREFLIGHT, FINAL)


class Hearing:
    """Reads a stream in the background and remembers what it said.

    Attributes:
        events: Each event with the time when it came.
        error: How the stream ended, None while it runs or if it ended well.
        ended: Whether nothing more comes.
    """

    def __init__(self, stream: stt.RecognizeStream) -> None:
        self.stream = stream
        self.events: list[tuple[float, stt.SpeechEvent]] = []
        self.error: BaseException | None = None
        self.ended = False
        self._changed = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name="kit-hearing")

    def texts(self, kind: stt.SpeechEventType = FINAL) -> list[str]:
        """Return the transcripts of one kind, in order."""
        return [data.text for data in self.alternatives(kind)]

    def alternatives(self, kind: stt.SpeechEventType = FINAL) -> list[stt.SpeechData]:
        """Return the best alternative of each event of one kind, in order."""
        return [data for found, data in self.transcripts if found is kind]

    @property
    def transcripts(self) -> list[tuple[stt.SpeechEventType, stt.SpeechData]]:
        """Every transcript with words in it, of any kind, in order."""
        return [
            (event.type, event.alternatives[0])
            for _, event in self.events
            if event.type in TRANSCRIPTS and event.alternatives and event.alternatives[0].text
        ]

    @property
    def words(self) -> list[str]:
        """The words of all final transcripts."""
        return [word for text in self.texts() for word in tones.words_of(text)]

    async def finals(self, count: int, within: float = deadlines.PATIENCE) -> list[str]:
        """Wait for that many final transcripts and return them.

        Raises:
            Broken: They did not come in time, or the stream ended before.
        """
        await self.until(
            lambda: len(self.texts()) >= count or self.ended, f"{count} finals", within
        )
        if len(self.texts()) < count:
            raise Broken(f"the stream ended ({self.error!r}) with the finals {self.texts()}")
        return self.texts()

    async def over(self, within: float = deadlines.PATIENCE) -> None:
        """Wait for the stream's end.

        Raises:
            Broken: It did not end in time.
        """
        await self.until(lambda: self.ended, "the stream's end", within)

    async def never_over(self, during: float) -> None:
        """Let that many seconds pass, in which the stream must not end.

        Raises:
            Broken: It did.
        """
        with suppress(Broken):
            await self.until(lambda: self.ended, "", during)
        if self.ended:
            raise Broken(f"the stream ended ({self.error!r}) with the finals {self.texts()}")

    async def until(self, condition: Callable[[], bool], what: str, within: float) -> None:
        """Wait until a condition holds, which is tried at every event.

        Raises:
            Broken: It did not in time.
        """
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            seen = [(event.type.value, event.alternatives[:1]) for _, event in self.events]
            raise Broken(f"{what} did not come within {within:.1f} s; seen: {seen}") from None

    async def aclose(self) -> None:
        """Close the stream.

        Raises:
            Broken: It did not close.
        """
        try:
            async with asyncio.timeout(deadlines.PATIENCE):
                await self.stream.aclose()
        except TimeoutError:
            raise Broken(f"the stream did not close within {deadlines.PATIENCE:.0f} s") from None
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for event in self.stream:
                self.events.append((time.perf_counter(), event))
                self._changed.set()
        except Exception as raised:  # noqa: BLE001 - what it is, is for the rule to judge
            self.error = raised
        finally:
            self.ended = True
            self._changed.set()


def api_error(hearing: Hearing) -> str:
    """Say what is wrong with how a stream failed, empty if it failed as it should."""
    if hearing.error is None:
        return f"the stream went on or ended as if all were well, with {hearing.texts()}"
    if not isinstance(hearing.error, APIError):
        return f"{type(hearing.error).__name__} came out: {hearing.error}"
    return ""
