"""Announcing a transcript before the turn is over: once, and counted."""

import pytest
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.stt.preflight import Preflight

pytestmark = pytest.mark.unit


class Count:
    """What became of announcements since it was made."""

    def __init__(self) -> None:
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        return {
            outcome: metrics.REGISTRY.get_sample_value(
                "eloquence_engine_preflight_total", {"outcome": outcome}
            )
            or 0.0
            for outcome in ("sent", "kept", "wasted")
        }

    def __call__(self) -> tuple[float, ...]:
        return tuple(value - self._before[key] for key, value in self._now().items())


@pytest.fixture
def counted() -> Count:
    return Count()


def test_a_text_is_announced_once_however_it_is_punctuated(counted: Count) -> None:
    preflight = Preflight()
    assert preflight.announce("Hello there.")
    assert not preflight.announce("Hello there.")
    assert not preflight.announce("hello, there")
    assert counted() == (1, 0, 0)


def test_nothing_is_never_announced(counted: Count) -> None:
    assert not Preflight().announce("")
    assert counted() == (0, 0, 0)


def test_another_text_replaces_it(counted: Count) -> None:
    preflight = Preflight()
    assert preflight.announce("Hello.")
    assert preflight.announce("Hello, who is there?")
    assert counted() == (2, 0, 1)


def test_an_interim_with_more_words_takes_it_back(counted: Count) -> None:
    preflight = Preflight()
    preflight.announce("Hello.")
    preflight.shown("hello")
    assert not preflight.announce("Hello.")
    preflight.shown("Hello you")
    assert preflight.announce("Hello.")
    assert counted() == (2, 0, 1)


def test_a_final_with_the_same_words_is_published_as_it_was_announced(counted: Count) -> None:
    preflight = Preflight()
    preflight.announce("Hello, there.")
    assert preflight.final("Hello there!") == "Hello, there."
    assert preflight.announce("Hello, there."), "the next turn may say the same"
    assert counted() == (2, 1, 0)


def test_a_final_with_other_words_wastes_it(counted: Count) -> None:
    preflight = Preflight()
    preflight.announce("Hello.")
    assert preflight.final("Hello you.") == "Hello you."
    assert preflight.final("Hello.") == "Hello."
    assert counted() == (1, 0, 1)
