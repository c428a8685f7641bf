"""Speech that was made before: what counts as the same, what is held, what is on disk."""

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins.local.engine.tts.cache import PhraseCache, Recipe
from livekit.plugins.local.engine.tts.phrase_store import PhraseStore

pytestmark = pytest.mark.unit

RECIPE = Recipe("kokoro", "1", "abc", "one", "en", 1.0, 24_000, "It's late, isn't it?")


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "hibari"},
        {"version": "2"},
        {"model": "abd"},
        {"voice": "two"},
        {"language": "fr"},
        {"speed": 1.1},
        {"sample_rate": 16_000},
        {"text": "It's late, isn't it!"},
        {"text": "it's late, isn't it?"},
    ],
)
def test_whatever_changes_the_sound_changes_the_key(change: dict[str, Any]) -> None:
    assert replace(RECIPE, **change).key != RECIPE.key


@pytest.mark.parametrize("text", ["It’s late, isn’t it?", " It's  late,\u00a0isn't it? "])
def test_differences_that_nobody_hears_do_not(text: str) -> None:
    assert replace(RECIPE, text=text).key == RECIPE.key


def test_accents_are_one_letter_however_they_are_written() -> None:
    keys = {replace(RECIPE, text=text).key for text in ("\u00e9t\u00e9", "e\u0301te\u0301")}
    assert len(keys) == 1


def test_the_memory_is_bounded_and_the_least_used_goes_first() -> None:
    cache = PhraseCache(limit=10)
    cache.put("a", b"1234")
    cache.put("b", b"1234")
    assert cache.get("a")
    cache.put("c", b"1234")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"1234", None, b"1234")
    assert cache.size == 8


def test_what_was_declared_outlives_what_was_not() -> None:
    cache = PhraseCache(limit=10)
    cache.put("declared", b"1234", keep=True)
    for key in "abcdef":
        cache.put(key, b"1234")
    assert cache.get("declared")
    assert cache.size == 8
    for key in "ghi":
        cache.put(key, b"1234", keep=True)
    assert cache.size == 8


def test_a_key_that_is_put_again_counts_once() -> None:
    cache = PhraseCache(limit=10)
    cache.put("a", b"1234")
    cache.put("a", b"12345")
    assert cache.size == 5


@pytest.mark.parametrize("audio", [b"", b"12345678901"])
def test_nothing_and_too_much_are_not_held(audio: bytes) -> None:
    cache = PhraseCache(limit=10)
    cache.put("a", audio)
    assert cache.get("a") is None
    assert cache.size == 0


def test_a_phrase_is_kept_on_disk_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "phrases"
    PhraseStore(folder).write(RECIPE.key, b"audio")
    assert PhraseStore(folder).read(RECIPE.key) == b"audio"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [RECIPE.key]
    assert stat.S_IMODE((folder / RECIPE.key).stat().st_mode) == 0o600


def test_what_an_older_version_kept_is_spoken_anew(tmp_path: Path) -> None:
    # It was the bare audio, without what is said in it.
    older = b"eloquence-phrase-1\n" + hashlib.sha256(b"audio").digest() + b"audio"
    (tmp_path / RECIPE.key).write_bytes(older)
    assert PhraseStore(tmp_path).read(RECIPE.key) is None


@pytest.mark.parametrize("keep", [0, 10, 40, -1])
def test_a_damaged_file_is_not_played(tmp_path: Path, keep: int) -> None:
    store = PhraseStore(tmp_path)
    store.write("key", b"some audio")
    path = tmp_path / "key"
    path.write_bytes(path.read_bytes()[:keep])
    assert store.read("key") is None


def test_a_disk_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = PhraseStore(tmp_path / "file")
    store.write("key", b"audio")
    assert store.read("key") is None
    store.prune()


def test_what_was_not_used_for_the_longest_time_is_pruned(tmp_path: Path) -> None:
    store = PhraseStore(tmp_path, limit=2500)
    for at, key in enumerate("abc"):
        store.write(key, bytes(1000))
        path = tmp_path / key
        moment = 1_000_000_000 + at
        os.utime(path, (moment, moment))
    assert store.read("a")
    store.prune()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]
