import pytest

from agent.readiness import Component, Readiness
from agent.readiness_feed import Answers
from agent.up.gates import Report, follow, summarize

pytestmark = pytest.mark.unit

SILENCE = Component("starting")


def test_silence_is_the_state_that_the_caller_chose() -> None:
    assert summarize(None, SILENCE) == Report(SILENCE)


def test_a_ready_answer_is_ready_with_or_without_parts() -> None:
    parts = {"stt": Component("ready")}
    assert summarize(Readiness(True), SILENCE).ready
    assert summarize(Readiness(True, parts), SILENCE) == Report(Component("ready"), parts)


def test_a_failed_part_fails_the_service_with_its_sentence_once_nothing_else_is_on_its_way() -> (
    None
):
    broken = Component("failed", "There is no voice `x`; set TTS_VOICES to another.")
    report = summarize(Readiness(False, {"stt": Component("loading"), "tts": broken}), SILENCE)
    assert report.state.state == "loading"
    report = summarize(Readiness(False, {"stt": Component("ready"), "tts": broken}), SILENCE)
    assert report.failed
    assert report.state.message == "There is no voice `x`; set TTS_VOICES to another."


def test_a_service_that_serves_may_have_parts_that_do_not() -> None:
    late = Component("downloading", done=1, total=4)
    parts = {"tts:kokoro": late, "stt": Component("ready"), "worker": Component("loading")}
    report = summarize(Readiness(True, parts), SILENCE)
    assert report.ready
    assert report.unfinished == {"tts:kokoro": late}


def test_a_failed_part_without_a_sentence_is_named() -> None:
    report = summarize(Readiness(False, {"stt": Component("failed")}), SILENCE)
    assert "stt" in report.state.message


def test_a_busy_service_is_where_its_first_unfinished_part_is() -> None:
    download = Component("downloading", done=1, total=4)
    parts = {"a": Component("ready"), "b": download, "c": Component("missing")}
    assert summarize(Readiness(False, parts), SILENCE).state == download


def test_a_bare_refusal_means_loading() -> None:
    assert summarize(Readiness(False), SILENCE).state.state == "loading"


async def test_following_reports_at_once_and_then_only_changes() -> None:
    told = [None, None, Readiness(False), Readiness(False), Readiness(True), None]

    async def feed() -> Answers:
        for answer in told:
            yield answer

    seen = [report.state.state async for report in follow(feed, SILENCE)]
    assert seen == ["starting", "loading", "ready", "starting"]
