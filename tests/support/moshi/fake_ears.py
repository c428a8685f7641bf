"""The slots and the model loop of the fake moshi-server's module of type ``BatchedAsr``.

Follows ``batched_asr.rs`` of moshi-server 0.6.4 and ``asr.rs`` of moshi 0.6.4 step by step; with
``python`` it is the module of type ``PyBatchedAsr``, after ``py_basr_module.rs``.
"""

import asyncio
import itertools
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgpack
import numpy as np
from numpy.typing import NDArray

from tests.support.moshi.stub_stt import ACTIVE, FRAME, NOTHING, PAUSES, RESET, Dictation, Ear

Samples = NDArray[np.float32]

UNMARKED = 4
"""Of so many words one begins without the model's token for that: the end of the one before it is
not told, and its own beginning is that end."""

UTTERANCE = 0.2
"""Seconds between two words that begin another utterance."""

_PADDING = (0, 3)
_MORE: tuple[str, Any] = ("Audio", ())
_ids = itertools.count(1)


class Told(Protocol):
    """How the recogniser behaves, for a test that wants it to misbehave."""

    @property
    def nonsense(self) -> bool:
        """Whether messages have nothing but their type."""
        ...

    def listened(self) -> None:
        """Note a frame."""
        ...

    async def begin(self) -> bool:
        """Called at the first word of an utterance; takes its time. False fails."""
        ...

    def wrote(self, word: str) -> None:
        """Note a word."""
        ...


@dataclass
class Caller:
    """One slot's user.

    Attributes:
        incoming: What the client sent and the loop has not taken.
        outgoing: What is to be sent; None is the end.
        audio: What waits to be heard.
        due: Words with their start, and the step at which they are written.
        dropped: The slot is free; the client's next message ends the connection.
        cut: The connection ends at once, as if the server were killed.
        gone: The client has left.
    """

    ear: Ear
    number: int = field(default_factory=lambda: next(_ids))
    incoming: deque[tuple[str, Any]] = field(default_factory=deque)
    outgoing: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    audio: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    due: deque[tuple[str, float, int]] = field(default_factory=deque)
    dropped: bool = False
    cut: bool = False
    gone: bool = False
    steps: int = 0
    words: int = 0
    end: float = -1.0
    stop: float = 0.0
    unended: bool = False

    def message(self, **fields: Any) -> None:
        """Send a message; times are f64, as are no others."""
        self.outgoing.put_nowait(msgpack.packb(fields))

    def extend(self, pcm: Samples) -> Samples | None:
        """Add audio that came; return a frame if there is one."""
        self.audio = np.concatenate([self.audio, pcm])
        if len(self.audio) < FRAME:
            return None
        frame, self.audio = self.audio[:FRAME], self.audio[FRAME:]
        return frame


@dataclass(order=True)
class _Mark:
    step: int
    slot: int = field(compare=False)
    caller: int = field(compare=False)
    number: int = field(compare=False)


class Ears:
    """All slots, and the loop that serves them.

    Attributes:
        slots: Who has which; None is free.
        delay: Steps after a word until it is written.
        steps: Whether steps are reported, as models that know pauses do.
        pauses: Seconds of silence after which each of the heads is sure of a pause.
        step_seconds: How long a step takes.
        told: What goes wrong.
    """

    def __init__(
        self,
        tones: Any,
        batch_size: int,
        *,
        delay: int,
        steps: bool = True,
        python: Dictation | None = None,
        step_seconds: float = 0.0,
        told: Told | None = None,
    ) -> None:
        self.slots: list[Caller | None] = [None] * batch_size
        self.delay = delay
        self.steps = steps
        self.pauses = PAUSES
        self.step_seconds = step_seconds
        self.told = told
        self._tones = tones
        self._python = python
        self._marks: list[_Mark] = []
        self._index = 0
        # By slot, and whoever has it next gets the rest, as from the real server.
        self._words: list[list[int]] = [[] for _ in range(batch_size)]
        self._first_steps = [0] * batch_size
        self._arrived = asyncio.Event()
        self._loop = asyncio.create_task(self._run(), name="moshi-ear-loop")

    def open(self) -> Caller | None:
        """Take a slot; None if there is none."""
        for slot, caller in enumerate(self.slots):
            if caller is None:
                found = self.slots[slot] = Caller(Ear(self._tones))
                self.give(found, "Init", None)
                return found
        return None

    def give(self, caller: Caller, kind: str, content: Any) -> None:
        """Queue what a client sent."""
        caller.incoming.append((kind, content))
        self._arrived.set()

    @property
    def used(self) -> int:
        """How many slots are taken."""
        return sum(caller is not None for caller in self.slots)

    def drop_all(self) -> None:
        """Cut all connections and free their slots."""
        for slot in range(len(self.slots)):
            self._free(slot, cut=True)

    def leave(self, caller: Caller) -> None:
        """Note that a client has left; its slot is freed at the next turn."""
        caller.gone = True
        self._arrived.set()

    async def aclose(self) -> None:
        """End the loop and all connections."""
        self._loop.cancel()
        await asyncio.wait([self._loop])
        self.drop_all()

    async def _run(self) -> None:
        turn = self._python_turn if self._python else self._turn
        while True:
            self._arrived.clear()
            updates, frames = self._take()
            if not await turn(updates, frames):
                # Nobody has said anything; the real loop looks again every 2 ms.
                if not any(c and (c.incoming or len(c.audio) >= FRAME) for c in self.slots):
                    await self._arrived.wait()
                await asyncio.sleep(0)
                continue
            self._index += 1
            self._return_marks()
            await asyncio.sleep(self.step_seconds)

    def _take(self) -> tuple[list[int], dict[int, Samples]]:
        """Take one message of each slot, or go on with what it has; free those of who left."""
        updates, frames = [NOTHING] * len(self.slots), dict[int, Samples]()
        for slot, caller in enumerate(self.slots):
            if caller is None:
                continue
            if caller.gone and not caller.incoming:
                self._free(slot)
                continue
            kind, content = caller.incoming.popleft() if caller.incoming else _MORE
            if kind == "Init":
                caller.message(type="Ready")
                updates[slot] = RESET
                self._reset(caller)
            elif kind == "Marker":
                waiting = len(caller.audio) // FRAME
                due = self._index + self.delay + waiting
                self._marks.append(_Mark(due, slot, caller.number, int(content)))
                updates[slot] = waiting
            elif (frame := caller.extend(np.asarray(content, np.float32))) is not None:
                updates[slot] = ACTIVE
                frames[slot] = frame
        return updates, frames

    async def _turn(self, updates: list[int], frames: dict[int, Samples]) -> bool:
        """Do a step of the true recogniser; tell whether there was anything to do."""
        for slot, frame in frames.items():
            caller = self.slots[slot]
            if caller and await self._hear(caller, frame):
                while caller.due and caller.due[0][2] <= caller.ear.frames:
                    self._write(caller)
            elif caller and self.slots[slot] is caller:
                self._free(slot, cut=True)
        return bool(frames)

    async def _hear(self, caller: Caller, frame: Samples) -> bool:
        """Take a frame; False if the recogniser fails."""
        if self.told:
            self.told.listened()
        for word, start, end in caller.ear.hear(frame):
            if self.told and start - caller.end > UTTERANCE and not await self.told.begin():
                return False
            caller.end = end
            # The latest moment at which the true model can write it.
            caller.due.append((word, start, math.ceil(end * 12.5) + self.delay))
        if self.steps:
            self._report(caller, [float(caller.ear.quiet >= pause) for pause in self.pauses])
        return True

    def _write(self, caller: Caller) -> None:
        word, start, _ = caller.due.popleft()
        caller.words += 1
        if caller.words % UNMARKED:
            stop = math.floor(start * 12.5) / 12.5
            if caller.unended:
                caller.message(type="EndWord", stop_time=stop)
            caller.stop = stop
        if self.told:
            self.told.wrote(word)
            if self.told.nonsense:
                caller.message(type="Word")
        caller.message(type="Word", text=word, start_time=caller.stop)
        caller.unended = True

    async def _python_turn(self, updates: list[int], frames: dict[int, Samples]) -> bool:
        """Do a step of the recogniser in Python."""
        assert self._python
        size = len(self.slots)
        pcm = np.zeros((size, FRAME), np.float32)
        for slot, frame in frames.items():
            pcm[slot] = frame
        flags, tokens = np.zeros(size, np.uint8), np.zeros(size, np.uint32)
        heads = np.zeros((size, 4), np.float32)
        self._python.step(pcm.ravel(), flags, tokens, heads, updates)
        if not any(flag in (1, 2) for flag in flags):
            return False
        for slot, caller in enumerate(self.slots):
            if caller is None:
                continue
            if flags[slot] in (1, 2):
                caller.steps += 1
                self._token(slot, caller, int(tokens[slot]))
            # To every user, whether it was his step or not.
            self._report(caller, heads[slot].tolist())
        return True

    def _token(self, slot: int, caller: Caller, token: int) -> None:
        word = self._words[slot]
        if token not in _PADDING:
            if not word:
                self._first_steps[slot] = caller.steps
            word.append(token)
        elif word:
            assert self._python
            known = self._python.tones.WORDS
            text = " ".join(known[token - self._python.first_word] for token in word)
            caller.message(type="Word", text=text, start_time=self._first_steps[slot] / 12.5)
            caller.message(type="EndWord", stop_time=caller.steps / 12.5)
            word.clear()

    def _report(self, caller: Caller, scores: list[float]) -> None:
        waiting = len(caller.audio)
        caller.message(type="Step", step_idx=self._index, prs=scores, buffered_pcm=waiting)

    def _return_marks(self) -> None:
        for mark in sorted(self._marks):
            if mark.step > self._index:
                break
            self._marks.remove(mark)
            caller = self.slots[mark.slot]
            if caller and caller.number == mark.caller:
                caller.message(type="Marker", id=mark.number)
            if self._python:
                # Whoever has the slot by now.
                self._free(mark.slot)

    def _reset(self, caller: Caller) -> None:
        caller.ear = Ear(self._tones)
        caller.due.clear()
        caller.words, caller.end, caller.stop, caller.unended = 0, -1.0, 0.0, False

    def _free(self, slot: int, *, cut: bool = False) -> None:
        caller, self.slots[slot] = self.slots[slot], None
        if caller:
            caller.cut = cut
            caller.dropped = True
            caller.outgoing.put_nowait(None)
