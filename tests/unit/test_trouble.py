"""The recorded sentence for when the speech engine is away."""

from collections.abc import AsyncIterable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc
from livekit.agents import AgentSession

from agent.call.trouble import TEXTS, TroubleNotice, clip

pytestmark = pytest.mark.unit


class Session(SimpleNamespace):
    """Remembers what it was told to say."""

    def __init__(self) -> None:
        super().__init__(said=[], ended=False)

    def say(self, text: str, **options: Any) -> None:
        if self.ended:
            raise RuntimeError("AgentSession is closing, cannot use say()")
        self.said.append((text, options))


def notice(session: Session, language: str = "en") -> TroubleNotice:
    return TroubleNotice(cast("AgentSession[None]", session), lambda: language)


@pytest.mark.parametrize("language", TEXTS)
def test_each_language_has_a_recording_of_a_few_seconds(language: str) -> None:
    frames = clip(language)
    assert {(frame.sample_rate, frame.num_channels) for frame in frames} == {(24_000, 1)}
    assert 2 < sum(frame.duration for frame in frames) < 6


async def test_it_plays_the_recording_to_its_end_and_keeps_it_out_of_the_conversation() -> None:
    session = Session()
    assert notice(session, "fr").say()
    ((text, options),) = session.said
    assert text == TEXTS["fr"]
    assert options["allow_interruptions"] is False
    assert options["add_to_chat_ctx"] is False
    played: AsyncIterable[rtc.AudioFrame] = options["audio"]
    assert tuple([frame async for frame in played]) == clip("fr")


def test_a_language_without_a_recording_gets_the_english_one() -> None:
    session = Session()
    notice(session, "de").say()
    assert session.said[0][0] == TEXTS["en"]


def test_many_errors_of_one_outage_are_told_once() -> None:
    session = Session()
    trouble = notice(session)
    assert [trouble.say() for _ in range(5)] == [True, False, False, False, False]
    assert len(session.said) == 1


def test_a_call_that_has_ended_is_left_alone() -> None:
    session = Session()
    session.ended = True
    notice(session).say()
    assert session.said == []
