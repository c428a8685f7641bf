"""The slots and the model loop of the fake moshi-server's module of type ``Py``.

Follows ``py_module.rs`` of moshi-server 0.6.4 step by step.
"""

import asyncio
import itertools
import logging
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgpack
import numpy as np
from numpy.typing import NDArray

from tests.support.moshi.stub_tts import AR_STEP, FRAME, HAS_PCM, IS_EOS, NEW, PAD, WORD, Update
from tests.support.moshi.tokenizer import tokens_of

Format = Literal["PcmMessagePack", "OggOpusMessagePack", "Pcm", "OggOpus"]

_BOS = 1
_PAUSE = re.compile(r'<break\s+time="([0-9.]+)s"\s*/>')
_ids = itertools.count(1)
_log = logging.getLogger(__name__)


class Model(Protocol):
    """What a module of type ``Py`` runs."""

    sleep: Any

    def step(
        self,
        updates: list[Update],
        pcm: NDArray[np.float32],
        flags: NDArray[np.uint8],
        codes: object,
    ) -> None: ...


@dataclass
class Channel:
    """One slot's user.

    Attributes:
        incoming: What the client sent and the loop has not taken.
        outgoing: What is to be sent; None is the end.
        client_gone: Nothing more comes in; the slot is freed when all of it is consumed.
        left: It has closed the connection, so that sending fails.
        unheard: Sending has failed; the slot is freed at once.
    """

    format: Format
    voice: Any
    number: int = field(default_factory=lambda: next(_ids))
    incoming: deque[tuple[str, Any]] = field(default_factory=deque)
    outgoing: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    client_gone: bool = False
    left: bool = False
    unheard: bool = False
    greeted: bool = False
    bos_sent: bool = False
    words: deque[str] = field(default_factory=deque)
    steps: int = 0
    word_steps: int = 0

    def __post_init__(self) -> None:
        self.message({"type": "Ready"})
        if self.format == "OggOpus":
            self.outgoing.put_nowait(b"OggS header")
        elif self.format == "OggOpusMessagePack":
            self.message({"type": "OggOpus", "data": list(b"OggS header")})

    def message(self, fields: dict[str, Any]) -> None:
        """Send a message, which the raw formats have no place for."""
        if self.format.endswith("MessagePack"):
            self.outgoing.put_nowait(msgpack.packb(fields, use_single_float=True))

    def audio(self, pcm: NDArray[np.float32]) -> None:
        """Send a frame of audio."""
        if self.format == "PcmMessagePack":
            self.message({"type": "Audio", "pcm": pcm.tolist()})
        elif self.format == "OggOpusMessagePack":
            self.message({"type": "OggOpus", "data": list(b"OggS page")})
        else:
            raw = pcm.astype("<f4").tobytes()
            self.outgoing.put_nowait(raw if self.format == "Pcm" else b"OggS page")

    def end_word(self) -> None:
        """Tell the times of the word that ended."""
        if not self.words:
            return
        # The times are f64 even in a message of f32s.
        times = {"start_s": self.word_steps / 12.5, "stop_s": self.steps / 12.5}
        text = self.words.popleft()
        if self.format.endswith("MessagePack") and text:
            self.outgoing.put_nowait(msgpack.packb({"type": "Text", "text": text, **times}))

    def take_text(self, text: str) -> None:
        """Queue a text, word by word."""
        last = 0
        for pause in _PAUSE.finditer(text):
            self._take_words(text[last : pause.start()])
            last = pause.end()
            try:
                seconds = float(pause[1])
            except ValueError:
                continue
            if seconds > 0:
                count = max(1, int(min(seconds, 10.0) * 12.5))
                echo = f'<break time="{seconds:.2f}s">'
                self.incoming.append(("text", (echo, [PAD] * count)))
        self._take_words(text[last:])

    def _take_words(self, text: str) -> None:
        for old, new in (("’", "'"), ("–", ""), (":", " "), ("(", ""), (")", "")):
            text = text.replace(old, new)
        for word in text.split():
            tokens = tokens_of(word)
            if not self.bos_sent:
                self.bos_sent = True
                tokens.insert(0, _BOS)
            self.incoming.append(("text", (word, tokens)))


class Channels:
    """All slots, and the loop that serves them.

    Attributes:
        slots: Who has which; None is free.
        began: Somebody has had a slot.
        wedged: The model failed: the loop has ended, and the server lives on.
    """

    def __init__(self, model: Model, batch_size: int) -> None:
        self.slots: list[Channel | None] = [None] * batch_size
        self.began = False
        self.wedged = False
        self._model = model
        self._model.sleep = self._set_pause
        self._pause = 0.0
        self._arrived = asyncio.Event()
        self._loop = asyncio.create_task(self._run(), name="moshi-model-loop")

    def open(self, format: Format, voice: str | None) -> Channel | None:
        """Take a slot; None if there is none."""
        for slot, channel in enumerate(self.slots):
            if channel is None:
                self.began = True
                found = self.slots[slot] = Channel(format, voice)
                self._arrived.set()
                return found
        return None

    @property
    def used(self) -> int:
        """How many slots are taken."""
        return sum(channel is not None for channel in self.slots)

    async def aclose(self) -> None:
        """End the loop and all connections."""
        self._loop.cancel()
        await asyncio.wait([self._loop])
        for slot in range(len(self.slots)):
            self._free(slot)

    async def _run(self) -> None:
        size = len(self.slots)
        pcm = np.zeros((size, FRAME), np.float32)
        flags = np.zeros(size, np.uint8)
        codes = np.zeros((size, 33), np.int32)
        while True:
            updates = self._take()
            present = list(self.slots)
            if not self.used:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            try:
                self._model.step(updates, pcm, flags, codes)
            except Exception:  # noqa: BLE001 - as in the real server, only the loop ends
                _log.info("the model loop ends", exc_info=True)
                self.wedged = True
                return
            await asyncio.sleep(self._pause)
            for slot, channel in enumerate(present):
                if channel is not None and self.slots[slot] is channel and channel.greeted:
                    self._give(slot, channel, int(flags[slot]), pcm[slot])

    def _take(self) -> list[Update]:
        """Take one item of each slot's queue, and free the slots of those who left."""
        updates: list[Update] = []
        for slot, channel in enumerate(self.slots):
            if channel is None:
                continue
            if channel.unheard or (channel.client_gone and not channel.incoming):
                self._free(slot)
            elif channel.incoming:
                kind, content = channel.incoming.popleft()
                if kind == "text":
                    word, tokens = content
                    channel.words.append(word)
                    new = [] if channel.greeted else [NEW]
                    channel.greeted = True
                    updates.append((slot, [*new, *tokens], channel.voice))
                    channel.voice = None
                elif kind == "voice":
                    channel.voice = content
                elif channel.greeted:
                    updates.append((slot, [-2], None))
                else:
                    self._free(slot)
        return updates

    def _give(self, slot: int, channel: Channel, flags: int, pcm: NDArray[np.float32]) -> None:
        """Send what the model made for one slot."""
        if flags & AR_STEP:
            channel.steps += 1
        if flags & WORD:
            # The flag says that a word begins.
            if channel.word_steps > 0:
                channel.end_word()
            channel.word_steps = channel.steps
        if flags & HAS_PCM:
            channel.audio(pcm)
        if flags & IS_EOS:
            channel.end_word()
            self._free(slot)

    def _free(self, slot: int) -> None:
        channel, self.slots[slot] = self.slots[slot], None
        if channel:
            channel.outgoing.put_nowait(None)

    def _set_pause(self, seconds: float) -> None:
        self._pause = seconds
