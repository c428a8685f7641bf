"""A person calls and is answered: the real server, the real default models, no fake anywhere."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.calls import converse
from tests.support.speech import CAPITALS, Transcriber
from tests.support.stack import Stack

pytestmark = pytest.mark.e2e

Say = Callable[[str, str], np.ndarray]


async def test_answers_in_english_and_in_french(
    stack: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    turns = [
        say("What is the capital of France?", "en"),
        say("Quelle est la capitale de l'Espagne ?", "fr"),
    ]
    report = await converse(stack.page_url, tmp_path, turns)
    english, french = report.turns
    assert report.greeting
    assert "Hello" in report.greeting.transcript
    assert "France" in english.user_transcript
    assert "Espagne" in french.user_transcript
    heard = transcriber.transcribe(english.answer_audio, report.agent.rate, "en", about=CAPITALS)
    assert "Paris" in heard
    heard = transcriber.transcribe(french.answer_audio, report.agent.rate, "fr", about=CAPITALS)
    assert "Madrid" in heard
    # What the caller reads is what the caller hears.
    assert "Paris" in english.agent_transcript
    assert "Madrid" in french.agent_transcript


async def test_an_interrupted_answer_stops_and_the_interruption_is_answered(
    stack: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    turns = [
        # Whatever the model makes of it lasts for seconds.
        say("Please count from one to twenty.", "en"),
        say("Stop. What is the capital of Italy?", "en"),
    ]
    report = await converse(stack.page_url, tmp_path, turns, barge_in=0.4)
    interrupted, answer = report.turns
    assert answer.barge_in_stop_ms is not None, interrupted.agent_transcript
    assert answer.barge_in_stop_ms < 2000
    assert interrupted.agent_end is not None
    # While the reply was paused, the answer to what interrupted it was begun.
    assert answer.receipt
    assert answer.receipt.speculation.asked
    assert answer.agent_start is not None
    assert answer.agent_start > interrupted.agent_end
    heard = transcriber.transcribe(answer.answer_audio, report.agent.rate, "en", about=CAPITALS)
    assert "Rome" in heard
