import pytest
from livekit.plugins.local.engine.tts.base import Cancellation

pytestmark = pytest.mark.unit


def test_cancel_interrupts_the_running_block() -> None:
    cancel, calls = Cancellation(), []
    with cancel.calling(lambda: calls.append("interrupted")):
        assert not cancel.cancelled
        cancel.cancel()
        assert calls == ["interrupted"]
    assert cancel.cancelled


def test_block_that_begins_after_cancellation_is_interrupted_at_once() -> None:
    cancel, calls = Cancellation(), []
    cancel.cancel()
    with cancel.calling(lambda: calls.append("interrupted")):
        assert calls == ["interrupted"]


def test_finished_block_is_left_alone() -> None:
    cancel, calls = Cancellation(), []
    with cancel.calling(lambda: calls.append("interrupted")):
        pass
    cancel.cancel()
    assert calls == []
