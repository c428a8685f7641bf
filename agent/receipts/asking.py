"""Reading the caller's clock, over the data channel."""

import asyncio
import json
import logging
from collections.abc import Callable
from time import perf_counter

from livekit import rtc

from agent.receipts.clock import ClockOffset
from agent.receipts.reports import CLOCK_METHOD

_log = logging.getLogger(__name__)

# A few in a row, of which one is quick; then now and again, since clocks drift and jump.
_FIRST = 8
_FIRST_SECONDS = 0.15
_LATER_SECONDS = 5.0
_TIMEOUT = 2.0
# From callers that cannot tell, nothing is heard again.
_CANNOT = (
    rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD,
    rtc.RpcError.ErrorCode.UNSUPPORTED_SERVER,
    rtc.RpcError.ErrorCode.UNSUPPORTED_VERSION,
)


async def follow_clock(
    room: rtc.Room, caller: Callable[[], str | None], clock: ClockOffset
) -> None:
    """Keep ``clock`` true for as long as the call lasts.

    Args:
        room: The room of the call.
        caller: Tells the caller's identity, once there is one.
        clock: Learns.
    """
    asked = 0
    unable: set[str] = set()
    while True:
        identity = caller()
        if identity and identity not in unable:
            try:
                await _ask(room, identity, clock)
            except rtc.RpcError as error:
                if error.code in _CANNOT:
                    unable.add(identity)
                _log.debug("the caller's clock cannot be read (%s)", error.message)
            asked += 1
        await asyncio.sleep(_FIRST_SECONDS if asked < _FIRST else _LATER_SECONDS)


async def _ask(room: rtc.Room, identity: str, clock: ClockOffset) -> None:
    sent = perf_counter()
    answer = await room.local_participant.perform_rpc(
        destination_identity=identity,
        method=CLOCK_METHOD,
        payload="",
        response_timeout=_TIMEOUT,
        max_round_trip_latency=_TIMEOUT,
    )
    back = perf_counter()
    try:
        times = json.loads(answer)
        received, answered = float(times["received"]) / 1000, float(times["sent"]) / 1000
    except (KeyError, OverflowError, RecursionError, TypeError, ValueError):
        _log.debug("the caller's clock answered with nonsense")
        return
    clock.learn(sent, received, answered, back)
