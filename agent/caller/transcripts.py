"""What both sides were understood to say: LiveKit's ``lk.transcription`` text streams.

The agent sends one stream per state of a segment for the caller (each holds the whole text so far)
and one growing stream per segment for itself. ``lk.segment_id`` says what belongs together,
``lk.transcription_final`` when it is settled.
"""

import asyncio
from dataclasses import dataclass
from itertools import count
from time import perf_counter

from livekit import rtc

from agent.caller.tasks import stop

_TOPIC = "lk.transcription"
_SEGMENT_ID = "lk.segment_id"
_FINAL = "lk.transcription_final"


@dataclass(slots=True)
class _Entry:
    speaker: str
    began: float
    order: int
    text: str
    final: bool


class TranscriptLog:
    """Segments of both sides, in the order in which they began."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], _Entry] = {}

    def update(
        self, speaker: str, segment: str, text: str, *, final: bool, order: int, at: float
    ) -> None:
        """Take the latest text of a segment.

        Args:
            speaker: Identity of who said it.
            segment: The segment's id.
            text: All of its text so far.
            final: Whether the text is settled.
            order: Increases from stream to stream; what an older stream says of a segment, or an
                interim after the final, is dropped.
            at: `time.perf_counter`; the segment began when this came for the first time.
        """
        entry = self._entries.get((speaker, segment))
        if entry is None:
            self._entries[speaker, segment] = _Entry(speaker, at, order, text, final)
        elif order >= entry.order and final >= entry.final:
            entry.order, entry.text, entry.final = order, text, final

    def text(self, speaker: str, start: float, end: float) -> str:
        """Return what ``speaker`` said in the segments that began at ``start`` ≤ t < ``end``."""
        parts = (
            entry.text.strip()
            for entry in self._entries.values()
            if entry.speaker == speaker and start <= entry.began < end
        )
        return " ".join(part for part in parts if part)


class TranscriptReader:
    """Reads the streams of a room into a log; close it with `aclose`.

    Attributes:
        log: What has been read.
    """

    def __init__(self, room: rtc.Room) -> None:
        self.log = TranscriptLog()
        self._room = room
        self._order = count()
        self._tasks: list[asyncio.Task[None]] = []
        room.register_text_stream_handler(_TOPIC, self._open)

    async def aclose(self) -> None:
        """Stop reading."""
        self._room.unregister_text_stream_handler(_TOPIC)
        await stop(self._tasks)

    def _open(self, reader: rtc.TextStreamReader, speaker: str) -> None:
        self._tasks.append(asyncio.create_task(self._read(reader, speaker)))

    async def _read(self, reader: rtc.TextStreamReader, speaker: str) -> None:
        order, text = next(self._order), ""

        def update() -> None:
            attributes = reader.info.attributes or {}
            segment = attributes.get(_SEGMENT_ID, reader.info.stream_id)
            final = attributes.get(_FINAL) == "true"
            self.log.update(speaker, segment, text, final=final, order=order, at=perf_counter())

        try:
            async for chunk in reader:
                text += chunk
                update()
            update()  # the end of a stream may carry that it is final
        except rtc.StreamError:
            pass  # cut off by its sender or by the end of the call: what came stands
        finally:
            reader.close()
