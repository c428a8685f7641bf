import pytest

from agent.bench.bootstrap import paired_difference

pytestmark = pytest.mark.unit


def test_like_systems_do_not_differ() -> None:
    difference = paired_difference([1, 0, 3], [1, 0, 3], [10, 5, 9])
    assert difference is not None
    assert (difference.points, difference.low, difference.high) == (0, 0, 0)


def test_the_difference_is_in_points_of_all_words() -> None:
    difference = paired_difference([2, 1], [0, 0], [10, 90])
    assert difference is not None
    assert difference.points == pytest.approx(3.0)


def test_the_interval_holds_the_estimate_and_narrows_with_more_clips() -> None:
    errors, baseline, said = [0, 2, 1, 0, 3], [1, 1, 1, 1, 1], [10] * 5
    few = paired_difference(errors, baseline, said)
    many = paired_difference(errors * 20, baseline * 20, said * 20)
    assert few is not None and many is not None
    assert few.low < few.points < few.high
    assert many.points == pytest.approx(few.points)
    assert many.high - many.low < (few.high - few.low) / 3


def test_clips_are_paired() -> None:
    # Both systems fail on the same hard clips: unpaired, the interval would be wide.
    hard = [9, 0, 8, 0, 9, 0]
    difference = paired_difference([errors + 1 for errors in hard], hard, [10] * 6)
    assert difference is not None
    assert difference.low == pytest.approx(10) == pytest.approx(difference.high)


def test_the_same_clips_give_the_same_interval() -> None:
    clips = ([1, 0, 2], [0, 1, 0], [5, 6, 7])
    assert paired_difference(*clips) == paired_difference(*clips)


def test_without_words_there_is_no_difference() -> None:
    assert paired_difference([], [], []) is None
    assert paired_difference([1], [0], [0]) is None
