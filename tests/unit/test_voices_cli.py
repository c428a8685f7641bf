import asyncio
import hashlib
import json
import stat
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.local.engine.tts.cloned import cloned_voices
from typer.testing import CliRunner

from agent.cli import voices as voices_cli
from agent.cli.voices import app
from agent.errors import UserError
from tests.support.engine import SECONDS_PER_WORD, TestEngine, run_engine

pytestmark = pytest.mark.unit

CONSENT = "I, Jane Doe, agree that this agent speaks with my voice."


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("ELOQUENCE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ENGINE_URL", f"unix:{tmp_path / 'engine.sock'}")
    monkeypatch.setenv("TTS_VOICES", "en=tone/a,fr=kokoro/ff_siwis")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[TestEngine]:
    async with run_engine(tmp_path) as engine:
        yield engine


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def wav(path: Path, seconds: float, level: float = 0.3) -> Path:
    samples = np.sin(np.arange(int(seconds * 8_000)) / 5) * level * 32767
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8_000, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


async def test_the_running_engine_says_which_voices_it_has(engine: TestEngine) -> None:
    output = await asyncio.to_thread(run, "list")
    assert "tone/a *" in output
    assert "not running" not in output
    assert "siwis" not in output


def test_without_an_engine_the_settings_say(tmp_path: Path) -> None:
    output = run("list")
    assert "kokoro/ff_siwis *" in output
    assert "The speech engine is not running" in output


async def test_a_sentence_is_written_to_a_file(engine: TestEngine, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    await asyncio.to_thread(run, "say", "One two three.", "--out", str(out))
    with wave.open(str(out)) as audio:
        assert audio.getframerate() == 24_000
        assert audio.getnframes() == round(3 * SECONDS_PER_WORD * 24_000)


async def test_a_sentence_is_played(
    engine: TestEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, played = tmp_path / "paplay", tmp_path / "played.wav"
    player.write_text(f'#!/bin/sh\n/bin/cp "$1" {played}\n')
    player.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    await asyncio.to_thread(run, "say", "One.")
    assert played.read_bytes().startswith(b"RIFF")
    player.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UserError, match="could not be played; write a file with --out"):
        await asyncio.to_thread(run, "say", "One.")


def test_without_a_player_a_file_is_proposed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="write a file with --out"):
        run("say", "One.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--voice", "siri/anna"), "There is no voice siri/anna"),
        (("--voice", "tone/b"), "There is no voice tone/b"),
        (("--language", "ja", "--voice", "tone/a"), "tone/a does not speak 'ja'"),
    ],
)
async def test_the_engine_refuses_in_its_own_words(
    engine: TestEngine, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    out = str(tmp_path / "out.wav")
    with pytest.raises(UserError, match=words):
        await asyncio.to_thread(run, "say", "Hi.", "--out", out, *arguments)
    assert not Path(out).exists()


@pytest.mark.parametrize("text", ["<speak>Hi</speak>", "\x00\x07", "Bonjour my friend", "…"])
async def test_odd_text_is_spoken_or_silent(engine: TestEngine, tmp_path: Path, text: str) -> None:
    out = tmp_path / "out.wav"
    await asyncio.to_thread(run, "say", text, "--out", str(out))
    assert out.stat().st_size > 44


@pytest.mark.parametrize("text", ["", "x" * 100_000])
async def test_no_text_and_too_much_are_refused(
    engine: TestEngine, tmp_path: Path, text: str
) -> None:
    with pytest.raises(UserError, match="input"):
        await asyncio.to_thread(run, "say", text, "--out", str(tmp_path / "out.wav"))


def test_without_an_engine_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not answer at .*; start it with `eloquence up`"):
        run("say", "Hi.", "--out", str(tmp_path / "out.wav"))


def test_a_voice_is_kept_with_consent_and_provenance(tmp_path: Path) -> None:
    sample = wav(tmp_path / "jane.wav", 5)
    output = run("add", "jane", str(sample), "--engine", "pocket", "--consent", CONSENT)
    assert "pocket/jane was added (5 s)" in output
    folder = tmp_path / "data" / "voices" / "jane"
    record = json.loads((folder / "voice.json").read_text())
    assert record["consent"] == CONSENT
    assert record["sha256"] == hashlib.sha256(sample.read_bytes()).hexdigest()
    assert record["added"].endswith("+00:00")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with wave.open(str(folder / "sample.wav")) as audio:
        assert (audio.getframerate(), audio.getnchannels()) == (24_000, 1)
    assert list(cloned_voices(tmp_path / "data", "pocket")) == ["jane"]
    assert cloned_voices(tmp_path / "data", "chatterbox") == {}
    with pytest.raises(UserError, match="There is a voice jane already"):
        run("add", "jane", str(sample), "--engine", "pocket", "--consent", CONSENT)


def test_the_engine_in_the_settings_clones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTS_VOICES", "en=hibari/heart,fr=chatterbox/default")
    sample = wav(tmp_path / "jane.wav", 5)
    assert "chatterbox/jane" in run("add", "jane", str(sample), "--consent", CONSENT)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), r"None of the engines in TTS_VOICES \(tone, kokoro\) can clone a voice"),
        (("--engine", "kokoro"), "kokoro cannot clone a voice; chatterbox and pocket can"),
    ],
)
def test_engines_that_cannot_clone_say_so(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    sample = wav(tmp_path / "jane.wav", 5)
    with pytest.raises(UserError, match=words):
        run("add", "jane", str(sample), "--consent", CONSENT, *arguments)


@pytest.mark.parametrize("consent", ["", "yes", " " * 50])
def test_without_consent_nothing_is_kept(tmp_path: Path, consent: str) -> None:
    sample = wav(tmp_path / "jane.wav", 5)
    with pytest.raises(UserError, match="needs the speaker's consent"):
        run("add", "jane", str(sample), "--engine", "pocket", "--consent", consent)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["", "../x", "Jane", "a/b", "x" * 50])
def test_a_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be the name of a voice"):
        run("add", name, str(wav(tmp_path / "j.wav", 5)), "--engine", "pocket")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "There is no file"),
        ("text", "is not audio that can be read"),
        ("empty", "is not audio that can be read"),
        ("playlist", "is not audio that can be read|holds no sound"),
        ("second", "is 1.0 s long; give 3 to 60 s"),
        ("hours", "is longer than 60 s"),
        ("silent", "is silent"),
    ],
)
def test_bad_samples_are_one_sentence(tmp_path: Path, kind: str, words: str) -> None:
    sample = tmp_path / "sample.wav"
    if kind == "text":
        sample.write_text("This is no audio at all. " * 100)
    elif kind == "empty":
        sample.touch()
    elif kind == "playlist":
        sample.write_text("#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/x.wav\n")
    elif kind == "hours":
        with wave.open(str(sample), "wb") as file:
            file.setparams((1, 1, 1_000, 0, "NONE", ""))
            file.writeframes(bytes(range(100, 150)) * (7_200 * 1_000 // 50))
    elif kind != "missing":
        wav(sample, {"second": 1, "silent": 5}[kind], 0.3 if kind == "second" else 0)
    with pytest.raises(UserError, match=words):
        run("add", "jane", str(sample), "--engine", "pocket", "--consent", CONSENT)
    assert not (tmp_path / "data").exists()


def test_the_engines_that_clone_are_those_that_say_so() -> None:
    from livekit.plugins.local.engine.tts.base import EngineContext
    from livekit.plugins.local.engine.tts.registry import ENGINES, build

    engines = build(ENGINES, EngineContext(lambda _: Path(), threads=1))
    assert {e.name for e in engines if getattr(e, "cloning", False)} == set(voices_cli._CLONING)
