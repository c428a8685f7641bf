import pytest

from agent.llm.completeness import completeness, without_end

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the capital?", "What is the capital"),
        ("Combien font-ils ? ", "Combien font-ils"),
        ("It is 3.5 metres.", "It is 3.5 metres"),
        ("Well...", "Well"),
        ("东京在哪里？", "东京在哪里"),
        ("and so", "and so"),
        ("?", ""),
    ],
)
def test_the_marks_of_a_recogniser_are_left_out(text: str, expected: str) -> None:
    assert without_end(text) == expected


def test_a_sentence_is_as_complete_as_its_end_is_likely() -> None:
    follows = {"?": 0.5, " .": 0.1, "<|im_end|>": 0.1, "": 0.05, ".\n": 0.05, " and": 0.1, ",": 0.1}
    assert completeness(follows) == pytest.approx(0.8)
    assert completeness({}) == 0.0
    assert completeness({" a < b": 0.4, " the": 0.6}) == 0.0
    assert completeness({"?": 0.7, ".": 0.300001}) == 1.0  # rounded shares of a server
