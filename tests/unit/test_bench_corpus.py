import wave
from pathlib import Path

import numpy as np
import pytest

from agent.bench.corpus import NON_SPEECH, RATE, Clip, choose, load_corpus, read_recording
from agent.bench.stt.scene import LEAD_SECONDS, TAIL_SECONDS, room_tone, stage
from agent.errors import UserError

pytestmark = pytest.mark.unit


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def index(folder: Path, text: str) -> Path:
    (folder / "clips.tsv").write_text(text, encoding="utf-8")
    return folder


def test_the_index_names_the_clips(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    lines = "file\tlang\tseconds\tkind\ttext\na.wav\tfr\t1\tread\til a dit « oui »\n"
    clips = load_corpus(index(tmp_path, lines + "b.wav\txx\t1\tnonspeech\t\n"))
    assert clips == [
        Clip(tmp_path / "a.wav", "fr", "read", "il a dit « oui »"),
        Clip(tmp_path / "b.wav", "xx", NON_SPEECH, ""),
    ]


def test_quotes_in_a_text_are_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    clips = load_corpus(
        index(tmp_path, 'file\tlang\tkind\ttext\na.wav\ten\tread\t"Hello, he said\n')
    )
    assert clips[0].text == '"Hello, he said'


def test_what_is_wrong_with_a_corpus_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read --corpus .*clips\.tsv"):
        load_corpus(tmp_path)
    with pytest.raises(UserError, match="has no column 'lang'"):
        load_corpus(index(tmp_path, "file\ttext\na.wav\thello\n"))
    with pytest.raises(UserError, match=r"names a\.wav, which is not there"):
        load_corpus(index(tmp_path, "file\tlang\tkind\ttext\na.wav\ten\tread\thello\n"))


def test_chosen_clips_mix_the_languages_and_go_on_where_they_stopped() -> None:
    clips = [
        Clip(Path(f"{code}{n}.wav"), code, "read", "x") for code in ("en", "fr") for n in range(20)
    ]
    clips.append(Clip(Path("noise.wav"), "en", NON_SPEECH, ""))
    first = choose(clips, ["en", "fr"], 10, ())
    assert {clip.language for clip in first} == {"en", "fr"}
    assert choose(clips[::-1], ["en", "fr"], 10, ()) == first
    rest = choose(clips, ["en", "fr"], None, {clip.name for clip in first})
    assert len(rest) == 30
    assert not set(rest) & set(first)
    assert {clip.language for clip in choose(clips, ["fr"], None, ())} == {"fr"}


@pytest.mark.parametrize("dbfs", [-6, -30, -55])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_speech_is_found_at_any_level(tmp_path: Path, dbfs: float, rate: int) -> None:
    time = np.arange(3 * rate) / rate
    loud = (time >= 0.7) & (time < 2.2)
    tone = 10 ** (dbfs / 20) * np.sin(2 * np.pi * 300 * time) * loud
    noise = 10 ** ((dbfs - 40) / 20) * np.random.default_rng(1).normal(size=len(time))
    samples = np.rint(32767 * (tone + noise))
    recording = read_recording(write(tmp_path / "tone.wav", samples, rate))
    assert len(recording.pcm) == pytest.approx(3 * RATE, abs=RATE // 50)
    assert recording.speech_start == pytest.approx(0.7, abs=0.03)
    assert recording.speech_end == pytest.approx(2.2, abs=0.03)


def test_clicks_around_the_speech_are_no_speech(tmp_path: Path) -> None:
    time = np.arange(3 * RATE) / RATE
    loud = (time >= 0.9) & (time < 2.0)
    for click in (0.1, 2.7):
        loud |= (time >= click) & (time < click + 0.06)
    samples = 8000 * np.sin(2 * np.pi * 300 * time) * loud
    recording = read_recording(write(tmp_path / "clicks.wav", samples))
    assert recording.speech_start == pytest.approx(0.9, abs=0.03)
    assert recording.speech_end == pytest.approx(2.0, abs=0.03)


def test_a_file_without_sound_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(UserError, match=r"Cannot read .*text\.wav"):
        read_recording(tmp_path / "text.wav")


def test_a_scene_is_the_clip_within_room_tone(tmp_path: Path) -> None:
    samples = np.full(RATE, 1000)
    recording = read_recording(write(tmp_path / "a.wav", samples))
    scene = stage(recording)
    assert scene.seconds == pytest.approx(LEAD_SECONDS + 1 + TAIL_SECONDS)
    assert scene.speech_end - scene.speech_start == pytest.approx(
        recording.speech_end - recording.speech_start
    )
    assert scene.speech_start == pytest.approx(LEAD_SECONDS + recording.speech_start)
    assert 0 < np.abs(room_tone(1.0)).max() < 200
