from pathlib import Path

import numpy as np
import pytest

from agent.bench import corpus
from agent.bench.corpus import RATE
from agent.bench.pauses import set as pause_set
from agent.bench.pauses.judge import Heard, Verdict, judge, outcome
from agent.bench.pauses.set import PAUSES, Breath
from agent.call.turn_taking import Endpointing, delays
from agent.errors import UserError
from tests.support.calls import write_wav
from tests.unit.test_bench_voice import tone

pytestmark = pytest.mark.unit

DELAYS = Endpointing(0.5, 1.0)


def test_a_set_of_pauses_is_a_corpus(tmp_path: Path) -> None:
    breath = Breath("en_one", tone(0.5, RATE), tone(0.7, RATE), "One two.")
    count = pause_set.write([breath], tmp_path / "set", "en")
    clips = corpus.load_corpus(tmp_path / "set")
    assert count == len(clips) == 1 + len(PAUSES)
    assert [clip.kind for clip in clips] == ["whole", *["pause"] * len(PAUSES)]
    longest = corpus.read_recording(clips[-1].path)
    assert len(longest.pcm) / RATE == pytest.approx(1.2 + max(PAUSES), abs=0.01)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Cannot write"):
        pause_set.write([breath], tmp_path / "file", "en")


def test_a_recording_is_cut_in_a_gap_near_its_middle(tmp_path: Path) -> None:
    rate = 48_000
    gap = np.zeros(rate // 10, np.int16)
    words = [tone(1.4, rate), gap, tone(1.4, rate)]
    write_wav(tmp_path / "gap.wav", np.concatenate(words))
    write_wav(tmp_path / "none.wav", tone(3.0, rate))
    write_wav(tmp_path / "short.wav", np.concatenate([tone(0.5, rate), gap, tone(0.5, rate)]))
    rows = [f"{name}.wav\ten\tread\tWords." for name in ("gap", "none", "short")]
    (tmp_path / "clips.tsv").write_text("\n".join(["file\tlang\tkind\ttext", *rows]) + "\n")
    [breath] = pause_set.recordings(tmp_path, "en")
    assert breath.name == "gap"
    assert len(breath.before) / RATE == pytest.approx(1.45, abs=0.06)
    assert len(breath.sound(0.0)) / RATE == pytest.approx(2.9, abs=0.03)


def test_delays_follow_from_verdicts() -> None:
    sure = outcome([Verdict("a", pause=0.1, end=0.9)], lambda *_: DELAYS, 0.5)
    # Of the five pauses only the one above the longer delay ends the turn.
    assert (sure.cut_off, sure.wait_mean, sure.wait_p95) == (0.2, 0.5, 0.5)
    wrong = outcome([Verdict("a", pause=0.9, end=0.1)], lambda *_: DELAYS, 0.5)
    assert wrong.cut_off == pytest.approx(0.6)
    assert wrong.wait_mean == 1.0


def test_words_that_ask_for_more_make_up_for_a_detector_that_is_wrong() -> None:
    wrong = Verdict("a", pause=0.9, end=0.9, begun="The name of the", whole="The name of the dog.")
    found = outcome([wrong], lambda text, _: delays("en", text), 0.5)
    assert (found.cut_off, found.wait_mean) == (0.0, delays("en").min_delay)


def test_a_model_that_knows_what_is_complete_makes_up_for_the_rest() -> None:
    wrong = Verdict("a", 0.9, 0.1, "Can you name one?", "Can you name one animal?", (0.0, 0.9))
    found = outcome([wrong], lambda text, complete: delays("en", text, completeness=complete), 0.5)
    assert (found.cut_off, found.wait_mean) == (0.0, 0.5)


def test_the_sessions_own_detector_judges() -> None:
    breath = Breath("en_one", tone(0.9, RATE), tone(0.9, RATE), "One two.")
    [verdict] = judge([breath], [Heard("One", "One two.", (0.1, 0.9))])
    assert 0 <= verdict.pause <= 1
    assert 0 <= verdict.end <= 1
    assert (verdict.begun, verdict.whole) == ("One", "One two.")
    assert verdict.complete == (0.1, 0.9)
