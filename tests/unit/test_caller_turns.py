from dataclasses import replace
from math import inf

import numpy as np
import pytest

from agent.caller.ear import Ear
from agent.caller.microphone import Spoken
from agent.caller.onset import FRAME, OnsetConfig, Segment
from agent.caller.script import Utterance
from agent.caller.transcripts import TranscriptLog
from agent.caller.turns import (
    Exchange,
    Voices,
    find_greeting,
    find_turns,
    first_answer,
    last_of_answer,
    overlap,
)

pytestmark = pytest.mark.unit

VOICES = Voices("ann", "agent")
ORIGIN = 100.0
PAUSE = 1.2


def spoken(start: float, end: float) -> Spoken:
    frames = round((end - start) / FRAME) + 1
    pcm = np.zeros((frames + 20) * 480, np.int16)
    return Spoken(Utterance(pcm, (Segment(10, 10 + frames),)), start, end)


class HeardEar(Ear):
    """An ear that has heard an agent speak, from 100 s on, during the given spans."""

    def __init__(self, *spans: tuple[float, float]) -> None:
        super().__init__(OnsetConfig())
        for index in range(3000):
            at = ORIGIN + index * FRAME
            loud = any(start - 1e-6 <= at <= end + 1e-6 for start, end in spans)
            self.hear(np.full(480, 5000 if loud else 0, np.int16).tobytes(), at)


def transcripts(*entries: tuple[str, str, float]) -> TranscriptLog:
    log = TranscriptLog()
    for order, (speaker, text, at) in enumerate(entries):
        log.update(speaker, str(order), text, final=True, order=order, at=at)
    return log


def test_latency_counts_from_the_end_of_speech_to_the_first_audio() -> None:
    ear = HeardEar((101.0, 102.0), (106.5, 108.0))
    exchange = Exchange(spoken(104.0, 105.5), answer=1)
    log = transcripts(("agent", "Hello.", 100.9), ("ann", "Hi?", 104.5), ("agent", "Hi!", 106.5))
    [turn] = find_turns([exchange], ear, log, VOICES, origin=ORIGIN, pause=PAUSE)
    assert turn.latency_ms == pytest.approx(1000)
    assert (turn.user_start, turn.user_end) == pytest.approx((4.0, 5.5))
    assert (turn.agent_start, turn.agent_end) == pytest.approx((6.5, 8.0))
    assert (turn.user_transcript, turn.agent_transcript) == ("Hi?", "Hi!")
    assert turn.talk_over_ms == 0.0
    assert turn.barge_in_stop_ms is None
    assert len(turn.answer_audio) == 151 * 480
    assert np.abs(turn.answer_audio).min() == 5000


def test_the_greeting_is_what_came_before_the_caller() -> None:
    ear = HeardEar((101.0, 101.5), (102.0, 103.0), (106.5, 108.0))
    log = transcripts(("agent", "Hello.", 101.0), ("agent", "Hi!", 106.5))
    greeting = find_greeting([Exchange(spoken(105.0, 106.0))], ear, log, VOICES, ORIGIN)
    assert greeting is not None
    assert (greeting.start, greeting.end) == pytest.approx((1.0, 3.0))
    assert greeting.transcript == "Hello."
    assert find_greeting([], HeardEar(), log, VOICES, ORIGIN) is None


def test_an_answer_of_several_sentences_is_whole() -> None:
    ear = HeardEar((106.0, 107.0), (107.6, 109.0), (115.0, 116.0))
    exchanges = [Exchange(spoken(104.0, 105.0), 0), Exchange(spoken(113.0, 114.0), 2)]
    turns = find_turns(exchanges, ear, TranscriptLog(), VOICES, origin=ORIGIN, pause=PAUSE)
    assert turns[0].agent_end == pytest.approx(9.0)
    assert len(turns[0].answer_audio) == 301 * 480
    assert turns[1].latency_ms == pytest.approx(1000)
    assert turns[1].barge_in_stop_ms is None


def test_a_barge_in_is_measured_on_the_turn_that_barged_in() -> None:
    ear = HeardEar((106.0, 109.0), (112.0, 113.0))
    exchanges = [Exchange(spoken(104.0, 105.0), 0), Exchange(spoken(108.6, 110.0), 1)]
    first, second = find_turns(exchanges, ear, TranscriptLog(), VOICES, origin=ORIGIN, pause=PAUSE)
    assert first.barge_in_stop_ms is None
    assert first.agent_end == pytest.approx(9.0)
    assert second.barge_in_stop_ms == pytest.approx(400)
    assert second.talk_over_ms == pytest.approx(410)
    assert second.latency_ms == pytest.approx(2000)


def test_an_agent_that_talks_on_between_sentences_was_not_stopped_before() -> None:
    ear = HeardEar((106.0, 108.5), (109.0, 111.0), (114.0, 115.0))
    exchanges = [Exchange(spoken(104.0, 105.0), 0), Exchange(spoken(108.0, 110.0), 2)]
    first, second = find_turns(exchanges, ear, TranscriptLog(), VOICES, origin=ORIGIN, pause=PAUSE)
    assert first.agent_end == pytest.approx(11.0)
    assert second.barge_in_stop_ms == pytest.approx(3000)


def test_an_agent_that_cuts_in_talks_over_but_was_not_interrupted() -> None:
    ear = HeardEar((106.0, 107.0), (111.0, 111.3), (113.0, 114.0))
    exchanges = [Exchange(spoken(104.0, 105.0), 0), Exchange(spoken(110.0, 112.0), 2)]
    first, second = find_turns(exchanges, ear, TranscriptLog(), VOICES, origin=ORIGIN, pause=PAUSE)
    assert first.agent_end == pytest.approx(7.0)
    assert second.talk_over_ms == pytest.approx(310)
    assert (first.cut_off, second.cut_off) == (False, True)
    assert second.barge_in_stop_ms is None
    assert second.latency_ms == pytest.approx(1000)


def test_an_answer_within_a_pause_cuts_off_though_nobody_talks_over() -> None:
    ear = HeardEar((104.4, 104.8), (107.0, 108.0))
    pausing = spoken(104.0, 106.0)
    parts = (Segment(10, 40), Segment(130, 211))
    pausing = replace(pausing, utterance=Utterance(pausing.utterance.pcm, parts))
    exchange = Exchange(pausing, 1)
    [turn] = find_turns([exchange], ear, TranscriptLog(), VOICES, origin=ORIGIN, pause=PAUSE)
    assert turn.talk_over_ms == 0
    assert turn.cut_off


def test_a_turn_without_an_answer_has_none() -> None:
    [turn] = find_turns(
        [Exchange(spoken(104.0, 105.0))],
        HeardEar((101.0, 102.0)),
        transcripts(("ann", "Anyone?", 104.1)),
        VOICES,
        origin=ORIGIN,
        pause=PAUSE,
    )
    assert (turn.agent_start, turn.agent_end, turn.latency_ms) == (None, None, None)
    assert turn.user_transcript == "Anyone?"
    assert len(turn.answer_audio) == 0


def never(start: float, end: float) -> bool:
    return False


def test_an_answer_starts_after_the_question() -> None:
    ear = HeardEar((101.0, 102.0), (104.5, 105.5), (107.0, 108.0))
    assert first_answer(ear, spoken(104.0, 106.0), never) == 2
    assert first_answer(ear, spoken(104.0, 105.0), never) == 2
    assert first_answer(ear, spoken(108.0, 109.0), never) is None


def test_the_next_sentence_of_an_agent_that_talks_on_is_no_answer() -> None:
    ear = HeardEar((101.0, 104.5), (106.5, 107.0), (109.0, 110.0))
    asked: list[tuple[float, float]] = []

    def until_108(start: float, end: float) -> bool:
        asked.append((start, end))
        return end < 108.0

    assert first_answer(ear, spoken(104.0, 106.0), until_108) == 2
    assert asked == [pytest.approx((104.0, 106.5)), pytest.approx((104.0, 109.0))]


def test_the_last_part_of_an_answer() -> None:
    spans = [(1.0, 2.0), (3.0, 4.0), (4.5, 5.0), (9.0, 10.0)]
    assert last_of_answer(spans, 0, inf, PAUSE) == 3
    assert last_of_answer(spans, 0, 2.5, PAUSE) == 2
    assert last_of_answer(spans, 1, 2.5, 0.4) == 1


def test_overlap_adds_up_what_is_shared() -> None:
    assert overlap([(1.0, 2.0), (4.0, 5.0)], [(1.5, 4.5)]) == pytest.approx(1.0, abs=0.03)
    assert overlap([(1.0, 2.0)], [(3.0, 4.0)]) == 0.0
    assert overlap([], [(3.0, 4.0)]) == 0.0
