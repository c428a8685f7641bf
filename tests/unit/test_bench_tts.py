"""The figures of ``eloquence bench tts``, without an engine."""

import json
import os
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from agent.bench.engine import Engine
from agent.bench.machine import Usage
from agent.bench.tts import words as tts_words
from agent.bench.tts.command import _voices
from agent.bench.tts.corpus import REPLIES, Sentence, check, sentences, timed
from agent.bench.tts.figures import Crowd, Figures, Soak
from agent.bench.tts.listener import find_listener
from agent.bench.tts.measure import measure_crowd, measure_soak, measure_speed
from agent.bench.tts.report import Report, render
from agent.bench.tts.speech import Chunk, Speaker, Speech, gaps
from agent.bench.tts.wer import Understood, compare, errors
from agent.bench.tts.whisper_small import _modules, _named, convert
from agent.bench.tts.words import Word
from agent.caller.report import Latency
from agent.cli.main import app
from agent.errors import UserError
from agent.settings import Settings

pytestmark = pytest.mark.unit


def understood(errors: int = 0, names_heard: int = 1) -> Understood:
    return Understood(
        text="Anna left.",
        heard="Anna left.",
        errors=errors,
        words=10,
        names=2,
        names_heard=names_heard,
    )


def figures(voice: str = "hibari/heart", language: str = "en") -> Figures:
    return Figures(
        voice=voice,
        language=language,
        cached_ms=Latency.of([2.0, 4.0]),
        reply_ms=Latency.of([300.0]),
        plain_reply_ms=Latency.of([1200.0]),
        gaps_ms=[80.0],
        understood=[understood(errors=1), understood(names_heard=0)],
        word_starts_ms=Latency.of([100.0, 200.0]),
    )


def test_there_are_sixty_sentences_and_replies_in_both_languages() -> None:
    for language in ("en", "fr"):
        check(language)
        assert len(sentences(language)) == 30
        assert all(sentence.heard for sentence in sentences(language))
        assert all(len(reply.split(". ")) >= 2 for reply in REPLIES[language])
        for sentence in timed(language):
            # Each word of the text is told when it begins, in however many words it is said.
            written = len(sentence.text.split())
            assert sentence.said
            assert {len(said.split()) for said in sentence.said} == {written}, sentence.text
            assert not any(map(str.isdigit, "".join(sentence.said)))
    with pytest.raises(UserError, match="no sentences in de; choose en or fr"):
        check("de")


def test_a_chunk_that_comes_late_leaves_a_gap() -> None:
    chunks = [Chunk(1.0, 0.5), Chunk(1.2, 0.5), Chunk(2.3, 0.5), Chunk(2.4, 0.1)]
    assert gaps(chunks) == pytest.approx([0.3])


@pytest.mark.parametrize(
    ("language", "said", "heard"),
    [
        ("en", "It is 9 a.m. on the 3rd.", "it's nine AM on the third"),
        ("en", "It costs 1,250 dollars.", "It costs $1,250."),
        ("fr", "Le 1er juin à 10h30.", "le premier juin à 10 heures 30"),
        ("fr", "Ça coûte 18 euros.", "ça coûte dix-huit €"),
    ],
)
def test_another_way_to_write_it_is_no_error(language: str, said: str, heard: str) -> None:
    result = compare(Sentence(language, said, said, []), heard)
    assert result.errors == 0
    assert result.words >= 3


def test_names_are_scored_apart() -> None:
    sentence = Sentence("en", "x", "Sarah Mitchell called twice", [], ["Sarah", "Mitchell"])
    assert compare(sentence, "Sara Mitchell called once") == Understood(
        text="x",
        heard="Sara Mitchell called once",
        errors=1,
        words=2,
        names=2,
        names_heard=1,
    )
    assert errors(["a", "bob"], ["a"], {"bob"}) == 0
    assert errors(["a"], ["a", "b"], {"bob"}) == 1


def test_figures_are_summed_up() -> None:
    each = figures()
    assert each.reply_ratio == pytest.approx(0.25)
    assert each.wer == pytest.approx(5.0)
    assert each.names_heard == pytest.approx(25.0)
    empty = Figures(voice="a/b", language="en")
    assert (empty.reply_ratio, empty.wer, empty.names_heard) == (None, None, None)


def test_goals_are_held_against_the_figures(tmp_path: Path) -> None:
    report = Report(
        {"cores": 2},
        voices=[figures(), figures("espeak/en"), Figures(voice="kokoro/x", language="fr")],
        crowds=[Crowd(voice="v/w", waits_ms=[100.0, 300.0], mean_ms=120.0, gaps=1, stand_ins=0)],
        soaks={"v/w": Soak(utterances=4, megabytes=[100.0, 100.0, 101.0])},
    )
    met = {target.name: target.met for target in report.targets}
    assert met == {
        "hibari/heart: known phrase, p50, ms": True,
        "hibari/heart: known phrase, p95, ms": True,
        "hibari/heart: reply, ours / plain engine": True,
        "hibari/heart: gaps over 50 ms": False,
        "hibari/heart: WER, en, %": True,
        "hibari/heart: word times, p95, ms": False,
        # The voice of last resort is not judged by how well it is understood.
        "espeak/en: known phrase, p50, ms": True,
        "espeak/en: known phrase, p95, ms": True,
        "espeak/en: reply, ours / plain engine": True,
        "espeak/en: gaps over 50 ms": False,
        "v/w, 2 calls: longest wait / mean": False,
        "v/w: memory grown in the second half, %": True,
    }
    path = tmp_path / "out.json"
    report.write(path)
    written = json.loads(path.read_text())
    assert written["voices"][0]["wer"] == pytest.approx(5.0)
    assert written["calls"][0]["ratio"] == pytest.approx(2.5)
    assert written["soak"]["v/w"]["growth"] == pytest.approx(0.01)
    with pytest.raises(UserError, match=r"^Cannot write --json .*: No such file or directory\.$"):
        report.write(tmp_path / "missing" / "out.json")
    console = Console(file=StringIO(), width=200)
    for part in render(report):
        console.print(part)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "ours / plain" in shown
    assert "100, 300" in shown


class FakeEngine(Engine):
    """Nobody stands in."""

    async def stand_ins(self) -> float:
        return 0.0


class FakeSpeaker(Speaker):
    """Takes as long as it is told to, without taking any time."""

    def __init__(self, first: float = 0.1) -> None:
        self.voice, self.language = "v/w", "en"
        self.first = first
        self.said: list[str] = []

    async def say(self, text: str, *, pace: float | None = None, known: bool = False) -> Speech:
        self.said.append(text)
        first = 0.001 if known else self.first
        return Speech(chunks=[Chunk(first, 0.2), Chunk(first + 0.3, 1.0)])


async def test_the_speed_of_a_voice_is_measured() -> None:
    speaker, each = FakeSpeaker(), Figures(voice="v/w", language="en")
    engine = FakeEngine("unix:/nowhere", Usage(os.getpid()))
    await measure_speed(engine, speaker, each, rounds=4, pace=1000.0)
    assert each.cold_ms == pytest.approx(100)
    assert (each.warm_ms.count, each.cached_ms.count) == (4, 8)
    assert each.warm_ms.p50 == pytest.approx(100)
    assert each.cached_ms.p95 == pytest.approx(1)
    assert each.real_time == pytest.approx(0.4 / 1.2)
    # The plain engine plays when all is written and spoken.
    assert each.reply_ms.p50 == pytest.approx(100)
    assert each.plain_reply_ms.p50 is not None and each.plain_reply_ms.p50 > 400
    assert each.gaps_ms == pytest.approx([100, 100])
    assert each.megabytes is not None and each.megabytes > 1


async def test_calls_are_compared_with_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.bench.tts.measure._STAGGER_SECONDS", 0.0)
    engine = FakeEngine("unix:/nowhere", None)
    crowd = await measure_crowd(engine, [FakeSpeaker(0.1), FakeSpeaker(0.5)], pace=1000.0)
    assert crowd.waits_ms == pytest.approx([100, 500])
    assert crowd.ratio == pytest.approx(5 / 3)
    assert crowd.gaps == 4


async def test_memory_is_noted_after_each_tenth() -> None:
    lines: list[str] = []
    engine = FakeEngine("unix:/nowhere", Usage(os.getpid()))
    soak = await measure_soak(engine, FakeSpeaker(), 20, lines.append)
    assert soak is not None
    assert len(soak.megabytes) == len(lines) == 10
    assert Soak(utterances=1, megabytes=[50.0, 100.0, 110.0]).growth == pytest.approx(0.1)
    assert await measure_soak(FakeEngine("unix:/x", None), FakeSpeaker(), 5, print) is None


def test_times_of_words_are_compared_word_by_word() -> None:
    sentence = Sentence("en", "Yes, now.", "Yes, now.", ["Yes, now."])
    theirs = [Word("Yes,", 0.0, 0.4), Word("now.", 0.4, 1.0)]
    offsets = tts_words.compare(sentence, [Word("Yes,", 0.1, 0.4), Word(" now.", 0.5, 0.9)], theirs)
    assert offsets.starts == pytest.approx([100, 100])
    assert offsets.ends == pytest.approx([0, -100])
    assert tts_words.compare(sentence, [Word("Yes,", 0.1, 0.4)], theirs).starts == []


def test_a_missed_target_fails_the_command_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report({}, soaks={"a/b": Soak(utterances=4, megabytes=[100.0, 100.0, 120.0])})

    async def run(*_: object) -> Report:
        return report

    monkeypatch.setattr("agent.bench.tts.command.run", run)
    result = CliRunner().invoke(app, ["bench", "tts"])
    assert "memory grown" in result.output
    assert result.exit_code == 1
    assert str(result.exception) == (
        "Missed: a/b: memory grown in the second half, %: 20.00, at most 5."
    )
    report.soaks["a/b"] = Soak(utterances=4, megabytes=[100.0, 100.0, 104.0])
    assert CliRunner().invoke(app, ["bench", "tts"]).exit_code == 0


def test_voices_are_pairs() -> None:
    assert _voices("en=a/b, fr=c/d") == (("en", "a/b"), ("fr", "c/d"))
    for text in ("", "en", "en=b", "=a/b"):
        with pytest.raises(UserError, match="must be like en=hibari/heart"):
            _voices(text)


def test_the_best_listener_that_is_here_is_chosen(tmp_path: Path) -> None:
    settings = Settings().model_copy(update={"cache_dir": tmp_path})
    with pytest.raises(UserError, match="bench listener` makes whisper-small"):
        find_listener(settings, None)
    folder = tmp_path / "bench" / "whisper-small"
    folder.mkdir(parents=True)
    assert find_listener(settings, None) == ("whisper-small", folder)
    assert find_listener(settings, str(tmp_path)) == (tmp_path.name, tmp_path)
    with pytest.raises(UserError, match="no whisper-huge"):
        find_listener(settings, "whisper-huge")


def test_weights_get_their_old_names_and_places() -> None:
    assert _named("/layers.0/self_attn/q_proj/MatMul_quant") == "layers.0.self_attn.q_proj.weight"
    assert _named("/layers.0/self_attn/MatMul") == ""
    root = _modules({"a.0.weight": np.ones(2, np.float32), "a.0.bias": np.zeros(2, np.float32)})
    part = getattr(root.a, "0")
    assert part.weight.tolist() == [1, 1]
    assert part.bias.tolist() == [0, 0]


def test_a_damaged_network_leaves_nothing_behind(tmp_path: Path) -> None:
    for name in ("encoder_model_quantized.onnx", "decoder_model_merged_quantized.onnx"):
        (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(Exception):  # noqa: B017 - what the parser of protobuf raises
        convert(tmp_path, tmp_path, tmp_path / "out" / "whisper-small")
    assert not (tmp_path / "out" / "whisper-small").exists()
