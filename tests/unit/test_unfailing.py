import asyncio
from collections.abc import AsyncGenerator

import pytest
from livekit.agents import stt

from agent.call.unfailing import unfailing

pytestmark = pytest.mark.unit

EVENT = stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT)
OTHER = stt.SpeechEvent(type=stt.SpeechEventType.PREFLIGHT_TRANSCRIPT)


async def work(
    *events: stt.SpeechEvent, error: BaseException | None = None
) -> AsyncGenerator[stt.SpeechEvent, None]:
    for event in events:
        yield event
    if error:
        raise error


async def heard(events: AsyncGenerator[stt.SpeechEvent, None]) -> list[stt.SpeechEvent]:
    return [event async for event in unfailing(EVENT, events)]


async def test_what_becomes_of_an_event_is_passed_on() -> None:
    assert await heard(work(OTHER, EVENT)) == [OTHER, EVENT]
    assert await heard(work()) == []


@pytest.mark.parametrize(("before", "after"), [([], [EVENT]), ([OTHER], [OTHER, EVENT])])
async def test_an_event_goes_on_if_the_work_on_it_fails(
    before: list[stt.SpeechEvent], after: list[stt.SpeechEvent], caplog: pytest.LogCaptureFixture
) -> None:
    assert await heard(work(*before, error=RuntimeError("broken"))) == after
    assert "the call goes on" in caplog.text


async def test_an_event_goes_on_once() -> None:
    assert await heard(work(EVENT, error=RuntimeError("broken"))) == [EVENT]


async def test_who_is_cancelled_stops() -> None:
    with pytest.raises(asyncio.CancelledError):
        await heard(work(error=asyncio.CancelledError()))
