"""Receipts: stages that were observed, overlap as overlap, and the stage to blame."""

import json
from typing import Any

import numpy as np
import pytest
from livekit import rtc

from agent.receipts.account import covered, share_accounted, unaccounted
from agent.receipts.budget import broken_by, budget_of
from agent.receipts.draft import Report, draft
from agent.receipts.observer import TurnObserver
from agent.receipts.receipt import Receipt, Stage, StageName, parse_receipt
from agent.receipts.speech_end import SpeechEnd
from agent.settings import Settings

pytestmark = pytest.mark.unit

BUDGET = budget_of(Settings())
RATE = 24_000


class Call:
    """An observer whose clock the test moves; times in milliseconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.observer = TurnObserver(lambda: self.now)

    def at(self, milliseconds: float) -> TurnObserver:
        self.now = 100 + milliseconds / 1000
        return self.observer

    def speaks(self, until: float) -> None:
        """Half a second of speech, and silence for a second after it."""
        for end in range(-500, 1000, 50):
            level = 0.3 if end + 50 <= until else 0.0
            self.at(end + 50).hear(frame(level))


def frame(level: float, milliseconds: int = 50) -> rtc.AudioFrame:
    samples = RATE * milliseconds // 1000
    tone = level * np.sin(np.arange(samples) * 0.3) * 32767
    return rtc.AudioFrame(tone.astype("<i2").tobytes(), RATE, 1, samples)


def early() -> Call:
    """A turn whose answer was begun on the announced transcript."""
    call = Call()
    call.speaks(until=0)
    call.at(260).voice_ended()
    call.at(310).transcribed("What is it?", final=False)
    reply = call.at(315).asked("early")
    call.at(450).wrote(reply, "It is ")
    call.at(520).transcribed("What is it?", final=True)
    call.at(530).decided("late", "What is it?", "en")
    call.at(531).answered("early")
    assert call.at(534).given("It ", call.now - 0.001) is reply
    call.at(536).clause()
    call.at(700).audio(reply)
    call.at(704).played()
    return call


def receipt_of(call: Call, **more: Any) -> Receipt:
    assert call.observer.turn
    return draft(call.observer.turn, BUDGET, **more)


def report(milliseconds: float) -> Report:
    return Report(100 + milliseconds / 1000, 0.002, milliseconds + 5e6)


def spans(receipt: Receipt) -> dict[str, tuple[float, float]]:
    return {each.name: (round(each.start), round(each.end)) for each in receipt.stages}


def test_every_stage_has_its_own_start_and_end_and_work_done_early_overlaps() -> None:
    receipt = receipt_of(early(), stopped=report(-40), heard=report(790))
    assert spans(receipt) == {
        "uplink": (-40, 0),
        "vad": (0, 260),
        "turn": (260, 530),
        "stt": (0, 310),  # when the text was known, not when it was confirmed
        "llm": (315, 450),
        "clause": (533, 536),
        "tts": (536, 700),
        "packet": (700, 704),
        "output": (704, 790),
    }
    assert receipt.speculation.asked == 1
    assert receipt.speculation.kept
    assert receipt.total == pytest.approx(830)
    assert receipt.clock_error == pytest.approx(2)


def test_an_early_answer_to_other_words_is_not_the_answer() -> None:
    call = Call()
    call.speaks(until=0)
    call.at(150).transcribed("What", final=False)
    call.at(155).asked("early")
    call.at(260).voice_ended()
    call.at(400).transcribed("What is it?", final=True)
    call.at(500).decided("late", "What is it?", "en")
    reply = call.at(505).asked("late")
    call.at(506).answered("late")
    call.at(800).wrote(reply, "It is.")
    call.at(801).given("It is.", call.now)
    call.at(900).audio(reply)
    call.at(901).played()
    receipt = receipt_of(call)
    assert spans(receipt)["llm"] == (505, 800)
    assert spans(receipt)["stt"] == (0, 400)
    assert (receipt.speculation.asked, receipt.speculation.kept) == (1, False)
    assert receipt.end == pytest.approx(901)
    assert not receipt.heard


def test_a_turn_of_several_sentences_is_understood_when_the_last_one_is() -> None:
    call = Call()
    call.speaks(until=0)
    call.at(-200).transcribed("One, two.", final=True)
    call.at(260).voice_ended()
    call.at(300).transcribed("Three.", final=False)
    call.at(500).transcribed("Three!", final=True)
    call.at(510).decided("one", "One, two. Three!", "en")
    assert spans(receipt_of(call))["stt"] == (0, 300)


def test_what_the_agent_says_by_itself_and_answers_to_typed_words_are_no_turns_answer() -> None:
    call = early()
    before = receipt_of(call).to_json()
    assert call.at(2000).given("Are you still there?", call.now) is None
    typed = call.at(2100).asked("typed")
    call.at(2101).answered("typed")
    call.at(2200).wrote(typed, "Rome.")
    call.at(2201).given("Rome.", call.now)
    call.at(2300).audio(typed)
    assert call.at(2301).played() is None
    assert receipt_of(call).to_json() == before
    turn = call.at(3000).decided("next", "And then?", "en")
    assert turn.replies == []


def test_a_turn_without_an_answer_says_so() -> None:
    call = Call()
    call.at(300).decided("one", "Hello?", "en")
    receipt = receipt_of(call)
    assert not receipt.answered
    assert receipt.total is None
    assert receipt.broke is None


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.01])
def test_the_end_of_speech_is_heard_to_ten_milliseconds_even_in_noise(noise: float) -> None:
    ear = SpeechEnd()
    loud, quiet = frame(0.2, 10).data.tobytes(), frame(noise, 10).data.tobytes()
    # Speech ends within a frame of the room: 30 of its 50 ms.
    for number in range(20):
        parts = {9: [loud] * 3 + [quiet] * 2}.get(number, [loud if number < 9 else quiet] * 5)
        ear.hear(rtc.AudioFrame(b"".join(parts), RATE, 1, RATE // 20), (number + 1) * 0.05)
    assert ear.before(1.0) == pytest.approx(0.48)


def test_without_anything_that_stands_out_speech_ended_when_the_detector_says() -> None:
    ear = SpeechEnd()
    for number in range(20):
        ear.hear(frame(0.3), (number + 1) * 0.05)
    assert ear.before(1.0) is None
    call = Call()
    call.at(0).voice_ended()
    call.at(100).decided("one", "Hello?", "en")
    assert call.observer.turn
    assert call.observer.turn.ended == pytest.approx(100 - 0.25)


def stage(name: StageName, start: float, end: float) -> Stage:
    return Stage(name, start, end)


QUICK = [stage("stt", 0, 300), stage("turn", 250, 390), stage("llm", 310, 700)]
QUICK += [stage("tts", 700, 850), stage("packet", 850, 855), stage("output", 855, 930)]


@pytest.mark.parametrize(
    ("changed", "to_blame"),
    [
        ([], None),
        ([stage("turn", 250, 2000)], "turn"),
        # The turn waits for the transcript; who is late is the transcript.
        ([stage("stt", 0, 1300), stage("turn", 250, 1350)], "stt"),
        ([stage("llm", 390, 1500)], "llm"),
        ([stage("clause", 700, 1700)], "llm"),
        ([stage("tts", 700, 1400)], "tts"),
        ([stage("output", 855, 1500)], "output"),
        ([stage("uplink", -700, 0)], "uplink"),
        # Audio that was made early is not late because it waited for the end of the turn.
        ([stage("packet", 600, 1905), stage("turn", 250, 1900)], "turn"),
    ],
)
def test_the_stage_that_exceeded_its_time_most_is_named(
    changed: list[Stage], to_blame: str | None
) -> None:
    stages = {each.name: each for each in [*QUICK, *changed]}.values()
    begin = min(each.start for each in stages)
    total = max(each.end for each in stages) - begin
    assert broken_by(list(stages), total, BUDGET) == to_blame


def test_overlap_counts_once_and_a_gap_is_not_accounted_for() -> None:
    assert covered(QUICK) == pytest.approx(930)
    assert covered([stage("vad", 0, 100), stage("llm", 150, 200)]) == pytest.approx(150)
    receipt = receipt_of(early(), stopped=report(-40), heard=report(790))
    assert unaccounted(receipt, 835) == pytest.approx(5 + 3)  # 3 ms until the voice was opened
    assert share_accounted([(receipt, 835), (receipt, 900)]) == 0.5


def test_the_json_form_is_read_back_and_holds_no_words() -> None:
    receipt = receipt_of(early(), stopped=report(-40), heard=report(790))
    text = json.dumps(receipt.to_json())
    assert parse_receipt(json.loads(text)).to_json() == receipt.to_json()
    assert "What" not in text
    assert len(text) < 1200  # one packet


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"version": 2},
        {**receipt_of(early()).to_json(), "stages": 5},
        {**receipt_of(early()).to_json(), "broke": "wing"},
        {**receipt_of(early()).to_json(), "echo": None},
    ],
)
def test_what_is_no_receipt_is_refused(body: object) -> None:
    with pytest.raises(ValueError, match=r"receipt|stage"):
        parse_receipt(body)
