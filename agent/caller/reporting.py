"""Telling the agent what was heard and when, and getting the receipts of the turns.

The agent reads this process's clock (`time.perf_counter`, in milliseconds) over the data channel;
what is reported are times of that clock, taken from the frames.
"""

import asyncio
import contextlib
import json
from time import perf_counter

from livekit import rtc
from livekit.rtc.participant import PublishDataError

from agent.caller.access import is_agent
from agent.caller.ear import Ear
from agent.caller.tasks import stop
from agent.receipts.receipt import RECEIPT_TOPIC, Receipt, parse_receipt
from agent.receipts.reports import CLOCK_METHOD, EAR_TOPIC

_LOOK = 0.02
_MOST_RECEIPTS = 10_000
# Receipts round what they repeat.
_SAME_MS = 0.5


class EarReporter:
    """Reports for one call; close it with `aclose`.

    Attributes:
        receipts: The receipts that came, in order.
    """

    def __init__(self, room: rtc.Room, ear: Ear) -> None:
        self.receipts: list[Receipt] = []
        self._room = room
        self._ear = ear
        self._task: asyncio.Task[None] | None = None
        room.on("data_received", self._on_data)

    def start(self) -> None:
        """Answer and report from now on; the room is joined."""
        self._room.local_participant.register_rpc_method(CLOCK_METHOD, _clock)
        self._task = asyncio.create_task(self._watch())

    async def stopped(self, at: float) -> None:
        """Report when the caller stopped to speak, by `time.perf_counter`."""
        await self._report("stopped", at)

    def receipt(self, *, stopped: float, heard: float | None) -> Receipt | None:
        """Return the receipt of a turn, known by the caller's times in it."""
        for receipt in self.receipts:
            echo = receipt.echo
            if _same(echo.heard, heard) or (echo.heard is None and _same(echo.stopped, stopped)):
                return receipt
        return None

    async def aclose(self) -> None:
        """Stop reporting."""
        await stop([self._task] if self._task else [])

    async def _watch(self) -> None:
        told = 0
        while True:
            for segment in self._ear.speech[told:]:
                told += 1
                await self._report("heard", self._ear.start(segment))
            await asyncio.sleep(_LOOK)

    async def _report(self, what: str, at: float) -> None:
        body = json.dumps({what: at * 1000})
        # The connection is on its way back, or over: there is nobody to tell.
        with contextlib.suppress(PublishDataError):
            await self._room.local_participant.publish_data(body, topic=EAR_TOPIC)

    def _on_data(self, packet: rtc.DataPacket) -> None:
        sender = packet.participant
        if packet.topic != RECEIPT_TOPIC or sender is None or not is_agent(sender):
            return
        if len(self.receipts) < _MOST_RECEIPTS:
            with contextlib.suppress(ValueError):  # of another version
                self.receipts.append(parse_receipt(json.loads(packet.data)))


async def _clock(_: rtc.RpcInvocationData) -> str:
    now = perf_counter() * 1000
    return json.dumps({"received": now, "sent": perf_counter() * 1000})


def _same(one: float | None, other: float | None) -> bool:
    """Tell whether a time in milliseconds is one in seconds."""
    return one is not None and other is not None and abs(one - other * 1000) < _SAME_MS
