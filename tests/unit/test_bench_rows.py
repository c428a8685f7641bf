import json
from pathlib import Path

import numpy as np
import pytest

from agent.bench.corpus import Clip
from agent.bench.stt.play import Hearing, Shown
from agent.bench.stt.rows import OURS, REFERENCE, Row, judge
from agent.bench.stt.scene import Scene

pytestmark = pytest.mark.unit

CLIP = Clip(Path("en_a.wav"), "en", "command", "Turn on the light.")
SCENE = Scene(np.zeros(64_000, np.int16), speech_start=0.75, speech_end=2.0)
HEARING = Hearing(
    shown=[
        Shown("interim", "turn", 1.25),
        Shown("interim", "Turn of the", 1.75),
        Shown("preflight", "Turn on the light.", 2.25),
        Shown("final", "Turn on the light.", 2.5),
    ],
    asked=[2.375],
    vad_ends=1,
    played=3.0,
    late=0.004,
    cpu_seconds=1.5,
    engine_seconds=1.0,
)


def row(heard: Hearing, system: str = OURS) -> Row:
    return judge(CLIP, SCENE, system, heard, bystanders=0.25)


def test_delays_are_counted_from_speech_and_from_the_flush() -> None:
    judged = row(HEARING)
    assert judged.delay_ms == pytest.approx(500)
    assert judged.final_ms == pytest.approx(125)
    assert judged.interim_ms == pytest.approx(500)
    assert judged.late_ms == pytest.approx(4)
    assert (judged.words, judged.errors, judged.looping) == (4, 0, False)


def test_interims_are_stable_when_the_next_transcript_keeps_their_words() -> None:
    judged = row(HEARING)
    # "turn" stays; of "turn of the" the final keeps two words.
    assert (judged.interim_words, judged.interim_kept) == (4, 3)


def test_several_finals_are_one_text_and_the_last_one_counts() -> None:
    finals = [Shown("final", "Turn on", 1.5), Shown("final", "the light", 3.0)]
    judged = row(Hearing(shown=finals, asked=[1.25, 2.75], vad_ends=2))
    assert judged.text == "Turn on the light"
    assert judged.errors == 0
    assert judged.delay_ms == pytest.approx(1000)
    assert judged.final_ms == pytest.approx(250)
    assert judged.interim_ms is None


def test_what_was_not_heard_is_missing() -> None:
    judged = row(Hearing(shown=[Shown("interim", "turn", 1.0)], asked=[2.0], vad_ends=1))
    assert judged.errors == 4
    assert judged.delay_ms is None
    assert judged.final_ms is None


def test_the_reference_has_no_delay() -> None:
    judged = row(Hearing(shown=[Shown("final", "turn on a light", 0.0)]), REFERENCE)
    assert judged.errors == 1
    assert judged.delay_ms is None


def test_a_row_survives_json() -> None:
    judged = row(HEARING)
    assert Row.from_json(json.loads(json.dumps(judged.to_json()))) == judged
    with pytest.raises(KeyError):
        Row.from_json({"clip": "en_a"})
