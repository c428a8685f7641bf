import pytest

from agent.caller.transcripts import TranscriptLog

pytestmark = pytest.mark.unit

ALL = (0.0, 100.0)


class Feed:
    """Streams into a log, one second apart."""

    def __init__(self) -> None:
        self.log = TranscriptLog()
        self.order = 0

    def stream(self, speaker: str, segment: str, text: str, *, final: bool = False) -> None:
        self.order += 1
        self.log.update(speaker, segment, text, final=final, order=self.order, at=float(self.order))


def test_interims_settle_into_the_final() -> None:
    feed = Feed()
    feed.stream("ann", "s1", "What is")
    feed.stream("ann", "s1", "What is the cat")
    feed.stream("ann", "s1", "What is the capital?", final=True)
    assert feed.log.text("ann", *ALL) == "What is the capital?"


def test_an_interim_stands_until_the_final_comes() -> None:
    feed = Feed()
    feed.stream("ann", "s1", "What is")
    assert feed.log.text("ann", *ALL) == "What is"


def test_an_interim_after_the_final_is_dropped() -> None:
    feed = Feed()
    feed.stream("ann", "s1", "Yes.", final=True)
    feed.stream("ann", "s1", "Ye")
    assert feed.log.text("ann", *ALL) == "Yes."


def test_an_overtaken_stream_is_dropped() -> None:
    log = TranscriptLog()
    log.update("ann", "s1", "newer", final=False, order=2, at=1.0)
    log.update("ann", "s1", "older", final=False, order=1, at=2.0)
    assert log.text("ann", *ALL) == "newer"


def test_a_growing_stream_is_read_as_it_grows() -> None:
    log = TranscriptLog()
    for text in ("It", "It is", "It is Paris."):
        log.update("agent", "s1", text, final=False, order=1, at=1.0)
    log.update("agent", "s1", "It is Paris.", final=True, order=1, at=2.0)
    assert log.text("agent", *ALL) == "It is Paris."


def test_segments_are_joined_in_the_order_in_which_they_began() -> None:
    feed = Feed()
    feed.stream("ann", "s1", "First")
    feed.stream("ann", "s2", "second.", final=True)
    feed.stream("ann", "s1", " First, ", final=True)
    assert feed.log.text("ann", *ALL) == "First, second."


def test_speakers_are_kept_apart_even_with_equal_ids() -> None:
    feed = Feed()
    feed.stream("ann", "s1", "Question", final=True)
    feed.stream("agent", "s1", "Answer", final=True)
    assert feed.log.text("ann", *ALL) == "Question"
    assert feed.log.text("agent", *ALL) == "Answer"
    assert feed.log.text("bob", *ALL) == ""


def test_a_segment_belongs_to_the_time_in_which_it_began() -> None:
    feed = Feed()
    feed.stream("ann", "s1", "one")  # began at 1
    feed.stream("ann", "s2", "two")  # at 2
    feed.stream("ann", "s1", "one, late", final=True)
    assert feed.log.text("ann", 0.0, 2.0) == "one, late"
    assert feed.log.text("ann", 2.0, 3.0) == "two"


def test_empty_segments_leave_no_trace() -> None:
    feed = Feed()
    feed.stream("ann", "s1", "  ")
    feed.stream("ann", "s2", "Hello")
    assert feed.log.text("ann", *ALL) == "Hello"
