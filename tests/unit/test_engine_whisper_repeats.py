"""What Whisper repeats or hardly heard: what is tried again, taken once, or left out."""

import pytest
from livekit.plugins.local.engine.stt.base import Request
from livekit.plugins.local.engine.stt.looping import compression, repeats, said_once
from livekit.plugins.local.engine.stt.whisper import WhisperRecogniser

from tests.support.whisper import Answer, FakeModel, fake_whisper, load_unasked, speech

pytestmark = pytest.mark.unit


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    return fake_whisper(monkeypatch)


@pytest.fixture
def ear(fake: FakeModel) -> WhisperRecogniser:
    return load_unasked(fake)


@pytest.mark.parametrize(
    "answer",
    [Answer(" a" * 40), Answer(" no no" * 30), Answer(" i am so i am so")],
    ids=["too long", "repeats itself", "says it again"],
)
def test_what_repeats_itself_is_tried_again_with_more_context(
    ear: WhisperRecogniser, fake: FakeModel, answer: Answer
) -> None:
    fake.answers = [Answer(" fine"), answer, Answer(" better")]
    heard = ear.transcribe_batch([speech(2), speech(2)])
    assert [each.text for each in heard] == ["fine", "better"]
    assert [shape[::2] for shape in fake.shapes] == [(2, 1000), (1, 1500)]


def test_what_goes_on_repeating_itself_gets_the_full_context(
    ear: WhisperRecogniser, fake: FakeModel
) -> None:
    fake.answers = [Answer(" no no" * 30), Answer(" no no" * 30), Answer(" better")]
    (heard,) = ear.transcribe_batch([speech(2)])
    assert heard.text == "better"
    assert [shape[::2] for shape in fake.shapes] == [(1, 1000), (1, 1500), (1, 3000)]


def test_a_short_answer_is_heard_again_only_once(ear: WhisperRecogniser, fake: FakeModel) -> None:
    fake.answers = [Answer(" never mind", -1.5), Answer(" never mind", -1.4), Answer(" better")]
    (heard,) = ear.transcribe_batch([speech(2, speech_seconds=0.35)])
    assert heard.text == "never mind"
    assert [shape[::2] for shape in fake.shapes] == [(1, 1000), (1, 1500)]


def test_a_short_answer_is_heard_again_before_it_is_taken_for_a_noise(
    ear: WhisperRecogniser, fake: FakeModel
) -> None:
    fake.answers = [Answer(" nevermind", -1.5), Answer(" Never mind.", -0.8)]
    (heard,) = ear.transcribe_batch([speech(2, speech_seconds=0.35)])
    assert heard.text == "Never mind."
    assert [shape[::2] for shape in fake.shapes] == [(1, 1000), (1, 1500)]


@pytest.mark.parametrize(
    ("answer", "request_"),
    [
        (Answer(" x", -1.5), speech(2)),
        (Answer(" x", -1.5), speech(2, speech_seconds=0.35, draft=True)),
        (Answer(" x", -0.9), speech(2, speech_seconds=0.35)),
        (Answer(" no no" * 30), speech(2, draft=True)),
        (Answer(" no no" * 30, -1.5, 0.7), speech(2)),
        (Answer(" no no" * 30), speech(28)),
    ],
    ids=[
        "improbable words",
        "a short draft",
        "a probable short answer",
        "a draft",
        "nobody spoke",
        "the context was full",
    ],
)
def test_there_is_no_second_attempt_where_it_would_not_help(
    ear: WhisperRecogniser, fake: FakeModel, answer: Answer, request_: Request
) -> None:
    fake.answers = [answer]
    ear.transcribe_batch([request_])
    assert len(fake.asked) == 1


def test_a_draft_that_repeats_itself_is_not_shown(ear: WhisperRecogniser, fake: FakeModel) -> None:
    fake.answers = [Answer(" no no" * 30)]
    (heard,) = ear.transcribe_batch([speech(2, draft=True)])
    assert heard.text == ""
    assert len(fake.asked) == 1


def test_repetition_compresses_well() -> None:
    assert compression("") == 0
    assert compression("Is the door locked? " * 10) > 2.4
    assert compression("The quick brown fox jumps over the lazy dog.") < 2.4


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("Is the front door locked? Is the front door locked?", True),
        ("no no no", True),
        ("It is very, very good.", False),
        ("no no", False),
        ("I said that I said it", False),
        ("so it goes so it goes on", False),
        ("", False),
    ],
)
def test_words_said_again_at_the_end(text: str, again: bool) -> None:
    assert repeats(text) is again


@pytest.mark.parametrize(
    ("written", "seconds", "said"),
    [
        ("the door is open the door is o", 2.0, "the door is open "),
        ("well the door is open the door is open the door", 3.0, "well the door is open"),
        ("the door is open the door is o", 6.0, "the door is open the door is o"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 3.0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("the door is open and so is the window", 2.0, "the door is open and so is the window"),
        ("", 0.0, ""),
    ],
    ids=["whole", "tail", "enough time", "next to nothing", "no repetition", "empty"],
)
def test_only_what_cannot_have_been_said_again_is_left_out(
    written: str, seconds: float, said: str
) -> None:
    tokens = [ord(letter) for letter in written]
    assert written[: said_once(tokens, seconds)] == said


def test_an_utterance_that_is_written_twice_is_taken_once(
    ear: WhisperRecogniser, fake: FakeModel
) -> None:
    fake.asked.clear()
    fake.answers = [Answer(" open doors" * 4), Answer(" never asked")]
    (heard,) = ear.transcribe_batch([speech(3)])
    assert heard.text == "open doors"
    assert len(fake.asked) == 1
