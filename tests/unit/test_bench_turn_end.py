import asyncio
from collections.abc import AsyncIterator

import pytest
from livekit.agents.vad import VADEvent, VADEventType

from agent.bench.stt import turn_end
from agent.bench.stt.turn_end import TurnEnd

pytestmark = pytest.mark.unit

START, END = VADEventType.START_OF_SPEECH, VADEventType.END_OF_SPEECH


LOOP = None
"""Stands for what the event loop does while nothing is heard."""


class Session:
    """Notes when a final is asked for, in numbers of events heard."""

    def __init__(self) -> None:
        self.heard = 0
        self.asked: list[int] = []

    def ask(self) -> None:
        self.asked.append(self.heard)

    async def events(self, *kinds: VADEventType | None) -> AsyncIterator[VADEvent]:
        for kind in kinds:
            if kind is LOOP:
                for _ in range(5):
                    await asyncio.sleep(0)
                continue
            self.heard += 1
            yield VADEvent(
                type=kind, samples_index=0, timestamp=0, speech_duration=0, silence_duration=0.25
            )


async def test_the_last_end_of_speech_asks_at_once() -> None:
    session = Session()
    turn = TurnEnd(1, session.ask)
    await turn.follow(session.events(START, VADEventType.INFERENCE_DONE, END))
    assert session.asked == [3]
    assert turn.over
    assert turn.ends == 1


async def test_a_pause_within_the_turn_does_not_ask() -> None:
    session = Session()
    turn = TurnEnd(2, session.ask)
    await turn.follow(session.events(START, END, LOOP, START, LOOP, END))
    assert session.asked == [4]
    assert turn.ends == 2


async def test_a_pause_that_is_too_long_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_end, "UNSURE_SECONDS", 0.25)
    session = Session()
    turn = TurnEnd(2, session.ask)
    await turn.follow(session.events(START, END, LOOP, START, END))
    assert session.asked == [2, 4]


async def test_speech_that_goes_on_takes_the_question_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn_end, "UNSURE_SECONDS", 0.25)
    session = Session()
    turn = TurnEnd(2, session.ask)
    await turn.follow(session.events(START, END, START, LOOP, END))
    assert session.asked == [4]


async def test_a_stream_that_ends_early_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn_end, "UNSURE_SECONDS", 0.25)
    session = Session()
    turn = TurnEnd(2, session.ask)
    await turn.follow(session.events(START, END))
    await asyncio.sleep(0)
    assert session.asked == []
    assert not turn.over
