from pathlib import Path

import pytest

from agent.bench.corpus import NON_SPEECH, Clip
from agent.bench.stt.nonspeech import sounds
from agent.bench.stt.phantoms import listen_for_phantoms
from agent.bench.stt.play import Shown
from tests.support.bench import FakeOurs, spoken

pytestmark = pytest.mark.unit


async def test_every_sound_is_played_and_what_was_shown_is_kept(tmp_path: Path) -> None:
    noise = spoken(tmp_path, "xx_noise", "")
    clips = [
        spoken(tmp_path, "en_a", "hello"),
        Clip(noise.path, "xx", NON_SPEECH, ""),
    ]
    answers = iter(
        [
            [Shown("interim", "you", 1.0), Shown("final", "Thank you.", 2.0)],
            [Shown("final", " ", 2.0)],
        ]
    )
    ours = FakeOurs([], lambda *_: next(answers, []))
    outcome = await listen_for_phantoms(ours, clips, "en")
    first = sounds()[0].name
    assert outcome.clips == len(ours.lengths) == len(sounds()) + 1
    assert outcome.heard == {first: ["you", "Thank you."]}
