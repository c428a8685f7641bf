import asyncio
import contextlib

import pytest

from agent.readiness import Component, Readiness
from agent.up.gates import Report, follow, summarize

pytestmark = pytest.mark.unit

SILENCE = Component("starting")


def test_silence_is_the_state_that_the_caller_chose() -> None:
    assert summarize(None, SILENCE) == Report(SILENCE)


def test_a_ready_answer_is_ready_with_or_without_parts() -> None:
    parts = {"stt": Component("ready")}
    assert summarize(Readiness(True), SILENCE).ready
    assert summarize(Readiness(True, parts), SILENCE) == Report(Component("ready"), parts)


def test_a_failed_part_fails_the_service_with_its_sentence() -> None:
    parts = {
        "stt": Component("loading"),
        "tts": Component("failed", "There is no voice `x`; set TTS_VOICES to another."),
    }
    report = summarize(Readiness(False, parts), SILENCE)
    assert report.failed
    assert report.state.message == "There is no voice `x`; set TTS_VOICES to another."


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
    answers = iter([None, None, Readiness(False), Readiness(False), Readiness(True), None])
    asked = 0

    async def probe() -> Readiness | None:
        nonlocal asked
        asked += 1
        return next(answers)

    seen: list[str] = []
    async with asyncio.timeout(10), contextlib.aclosing(follow(probe, SILENCE)) as reports:
        async for report in reports:
            seen.append(report.state.state)
            if len(seen) == 4:
                break
    assert seen == ["starting", "loading", "ready", "starting"]
    assert asked == 6
