import pytest

from agent.receipts.pace import AnswerPace
from agent.receipts.receipt import Receipt, Speculation, Stage, StageName

pytestmark = pytest.mark.unit


def receipt(
    end: float, *, name: StageName = "tts", answered: bool = True, kept: bool = True
) -> Receipt:
    return Receipt(
        turn=1,
        language="en",
        answered=answered,
        heard=True,
        begin=0.0,
        end=end,
        speculation=Speculation(1, kept),
        stages=(Stage("stt", 0.0, 1.0), Stage(name, 1.0, end)),
    )


def test_the_shortest_of_the_last_three_answers_counts() -> None:
    pace = AnswerPace()
    for end in (1500.0, 900.0):
        pace.take(receipt(end))
        assert pace.least == 0.0
        assert pace.least_so_far == end / 1000
    pace.take(receipt(700.0, name="clause"))  # nothing was spoken
    pace.take(receipt(700.0, answered=False))
    assert pace.least == 0.0
    pace.take(receipt(1300.0))
    assert pace.least == 0.9
    for end in (1400.0, 1600.0):
        pace.take(receipt(end))
    assert pace.least == 1.3
    pace.take(receipt(2600.0, kept=False))
    assert pace.least == 0.0
