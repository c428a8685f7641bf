from pathlib import Path

import pytest

from agent.bench.stt.long import listen_for_long
from agent.bench.stt.play import Shown
from tests.support.bench import FakeOurs, spoken

pytestmark = pytest.mark.unit


def final(text: str) -> Shown:
    return Shown("final", text, 1.0)


async def test_the_recording_is_as_long_as_asked_and_holds_each_clip_in_turn(
    tmp_path: Path,
) -> None:
    clips = [spoken(tmp_path, "en_a", "hello"), spoken(tmp_path, "fr_a", "bonjour")]
    ours = FakeOurs(
        [], lambda pieces, _: [Shown("interim", "hel", 0.5)] + [final("hello")] * pieces
    )
    heard = await listen_for_long(ours, clips, "en", seconds=13.0)
    assert heard is not None
    # A second of clip and two of room tone, in whole windows of voice activity, five times; before
    # that once, alone.
    assert ours.lengths == [96 * 512] * (1 + 5 + 5)
    assert heard.seconds == pytest.approx(15.36)
    assert heard.words == 5
    assert (heard.parts_wer, heard.turns_wer, heard.turns_changed) == (0.0, 0.0, 0)


async def test_words_lost_or_doubled_are_counted(tmp_path: Path) -> None:
    def answer(pieces: int, flush_each: bool) -> list[Shown]:
        if pieces == 1:
            return [final("hello there")]
        return [final("hello there")] * 3 if flush_each else [final("hello there hello hello")]

    clips = [spoken(tmp_path, "en_a", "hello there")]
    heard = await listen_for_long(FakeOurs([], answer), clips, "en", seconds=10.0)
    assert heard is not None
    assert heard.words == 8
    assert heard.turns_changed == 2
    assert heard.turns_wer == pytest.approx(25)
    assert heard.unbroken_changed == 4
    assert heard.heard["unbroken"] == "hello there hello hello"
    assert heard.parts_wer == 0


async def test_without_clips_of_the_language_there_is_nothing_to_say(tmp_path: Path) -> None:
    clips = [spoken(tmp_path, "fr_a", "bonjour")]
    assert await listen_for_long(FakeOurs([], lambda *_: []), clips, "en") is None
