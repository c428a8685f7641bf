"""A caller who stays silent is asked, and then the call ends."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit.agents import AgentSession

from agent.call.phrases import farewell, still_there
from agent.call.silence import SilenceWatch

pytestmark = pytest.mark.unit


class Session:
    """Remembers what it was told to say."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.spoken = asyncio.Event()
        self._listeners: dict[str, Callable[[Any], None]] = {}

    def on(self, event: str, listener: Callable[[Any], None]) -> None:
        self._listeners[event] = listener

    async def say(self, text: str, **_: object) -> None:
        self.said.append(text)
        self.spoken.set()

    def state(self, state: str) -> None:
        self._listeners["user_state_changed"](SimpleNamespace(new_state=state))

    def close(self) -> None:
        self._listeners["close"](None)


def watch(session: Session, patience: float) -> asyncio.Event:
    hung_up = asyncio.Event()

    async def hang_up() -> None:
        hung_up.set()

    SilenceWatch(
        cast("AgentSession[None]", session),
        language=lambda: "fr",
        patience=patience,
        hang_up=hang_up,
    )
    return hung_up


async def test_silence_is_asked_about_and_then_ends_the_call() -> None:
    session = Session()
    hung_up = watch(session, 0.01)
    session.state("away")
    await asyncio.wait_for(hung_up.wait(), 2)
    assert session.said == [still_there("fr"), farewell("fr")]


async def test_a_caller_who_speaks_again_is_not_hung_up_on() -> None:
    session = Session()
    hung_up = watch(session, 0.05)
    session.state("away")
    await asyncio.wait_for(session.spoken.wait(), 2)
    session.state("speaking")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hung_up.wait(), 0.2)
    assert session.said == [still_there("fr")]


async def test_the_end_of_the_call_ends_the_watch() -> None:
    session = Session()
    hung_up = watch(session, 0.05)
    session.state("away")
    await asyncio.wait_for(session.spoken.wait(), 2)
    session.close()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hung_up.wait(), 0.2)
