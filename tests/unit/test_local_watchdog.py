"""Deadlines for what the engine owes."""

import asyncio

import pytest
from livekit.agents import APITimeoutError
from livekit.plugins.local.watchdog import Watchdog

pytestmark = pytest.mark.unit


async def test_expecting_nothing_it_never_fails() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await Watchdog("audio", 0.01).watch()


async def test_what_does_not_come_is_a_timeout_that_says_what() -> None:
    watchdog = Watchdog("audio", 0.02)
    watchdog.expect()
    with pytest.raises(APITimeoutError, match="no audio") as failure:
        await watchdog.watch()
    assert failure.value.retryable


async def test_progress_restarts_the_clock_and_settling_stops_it() -> None:
    watchdog = Watchdog("audio", 0.2)
    watching = asyncio.create_task(watchdog.watch())
    watchdog.expect()
    for _ in range(6):
        await asyncio.sleep(0.05)
        watchdog.progress()
    watchdog.settle()
    done, _ = await asyncio.wait({watching}, timeout=0.3)
    assert not done
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
