"""The voice engine ``piper`` with a program that stands in for the real one."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.local.engine.tts import piper_program
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples, capabilities
from livekit.plugins.local.engine.tts.piper import PiperEngine
from livekit.plugins.local.errors import EngineError

pytestmark = pytest.mark.unit

# Speaks as the real program does: a WAV per line, and a line in its log. The length of the tone is
# 0.1 s per word; some words make it misbehave.
PROGRAM = """#!{python}
import os, sys, time, wave
from pathlib import Path
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
folder = Path(options["--output_dir"])
with open({calls!r}, "a") as calls:
    print(os.getpid(), options["--model"], options["--length_scale"], file=calls)
for number, line in enumerate(sys.stdin):
    if "crash" in line:
        sys.exit("boom")
    if "gate" in line:
        while not Path({gate!r}).exists():
            time.sleep(0.01)
    if "hang" in line:
        time.sleep(60)
    path = folder / f"{{number}}.wav"
    with wave.open(str(path), "wb") as audio:
        audio.setparams((1, 2, {rate}, 0, "NONE", ""))
        words = 0 if "silent" in line else len(line.split())
        audio.writeframes(b"\\x00\\x40" * (words * {rate} // 10))
    print(f"INFO:__main__:Wrote {{path}}", file=sys.stderr, flush=True)
"""


class Stub:
    """A data directory with voices, and what became of the program."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
        import sys

        self.gate = folder / "gate"
        self._calls = folder / "calls"
        programs, self.voices = folder / "bin", folder / "data" / "piper"
        programs.mkdir()
        self.voices.mkdir(parents=True)
        script = programs / "piper"
        script.write_text(
            PROGRAM.format(
                python=sys.executable, calls=str(self._calls), gate=str(self.gate), rate=rate
            )
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(programs))
        for name, language in (("joe", "en_US"), ("siwis", "fr_FR")):
            (self.voices / f"{name}.onnx").write_bytes(b"weights")
            self.describe(name, {"audio": {"sample_rate": rate}, "language": {"code": language}})
        self.engine = PiperEngine(
            EngineContext(lambda _: folder, threads=1, data_dir=folder / "data")
        )

    def describe(self, name: str, content: object) -> None:
        (self.voices / f"{name}.onnx.json").write_text(json.dumps(content))

    @property
    def calls(self) -> list[list[str]]:
        return [line.split() for line in self._calls.read_text().splitlines()]

    def say(
        self,
        text: str,
        voice: str = "joe",
        speed: float = 1.0,
        cancel: Cancellation | None = None,
    ) -> list[Samples]:
        return list(
            self.engine.synthesize(
                text, voice=voice, language="en", speed=speed, cancel=cancel or Cancellation()
            )
        )

    def words(self, text: str, **options: float) -> int:
        return round(sum(map(len, self.say(text, **options))) / 2_205)  # type: ignore[arg-type]


@pytest.fixture(params=[22_050, 16_000])
def stub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Stub]:
    stub = Stub(tmp_path, monkeypatch, request.param)
    yield stub
    if stub.engine._program:
        stub.engine._program.close()


def test_voices_are_the_files_and_speak_what_they_say(stub: Stub) -> None:
    stub.engine.load()
    can = capabilities(stub.engine)
    assert can.voices == {"joe": {"en"}, "siwis": {"fr"}}
    assert can.languages == {"en", "fr"}
    assert not can.cloning
    assert "joe" in stub.engine.version


def test_one_program_speaks_clause_after_clause(stub: Stub) -> None:
    stub.engine.load()
    assert stub.words("One two three.") == 3
    assert stub.words("One two\nthree four.") == 4
    assert len(stub.calls) == 1
    assert float(np.abs(stub.say("One.")[0]).max()) == pytest.approx(0.5, abs=0.1)


def test_brackets_are_no_commands_to_the_program(stub: Stub) -> None:
    # The real program breaks off at double brackets, which name phonemes there.
    stub.engine.load()
    assert stub.words("[[ x") == 3


def test_another_voice_or_rate_is_another_program(stub: Stub) -> None:
    stub.engine.load()
    stub.say("One.")
    stub.say("Un.", voice="siwis")
    stub.say("Un.", voice="siwis", speed=2.0)
    assert [(Path(model).stem, scale) for _, model, scale in stub.calls] == [
        ("joe", "1.000"), ("siwis", "1.000"), ("siwis", "0.500"),
    ]  # fmt: skip


def test_what_makes_no_sound_is_a_short_silence(stub: Stub) -> None:
    stub.engine.load()
    (samples,) = stub.say("silent")
    assert len(samples)
    assert not samples.any()


def test_a_program_that_dies_is_an_error_and_the_next_clause_is_spoken(stub: Stub) -> None:
    stub.engine.load()
    with pytest.raises(EngineError, match="piper could not speak: it ended") as caught:
        stub.say("crash")
    assert caught.value.retryable
    assert stub.words("One two.") == 2


def test_a_program_that_hangs_is_stopped(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.engine.load()
    stub.say("One.")
    monkeypatch.setattr(piper_program, "_CLAUSE_SECONDS", 0.2)
    with pytest.raises(EngineError, match="it hangs"):
        stub.say("hang")
    monkeypatch.undo()
    assert len(stub.calls) == 1


def test_cancelling_returns_at_once_and_the_next_clause_is_its_own(stub: Stub) -> None:
    stub.engine.load()
    assert stub.words("One.") == 1
    cancel = Cancellation()
    heard: list[list[Samples]] = []
    thread = threading.Thread(target=lambda: heard.append(stub.say("gate " * 9, cancel=cancel)))
    thread.start()
    deadline = time.monotonic() + 10
    while cancel._callback is None and time.monotonic() < deadline:
        time.sleep(0.01)
    cancel.cancel()
    thread.join(10)
    assert heard == [[]]
    stub.gate.touch()
    assert stub.words("One two.") == 2
    assert len(stub.calls) == 1


def test_what_was_cancelled_before_says_nothing(stub: Stub) -> None:
    stub.engine.load()
    cancel = Cancellation()
    cancel.cancel()
    assert stub.say("One two three.", cancel=cancel) == []
    assert stub.words("One.") == 1


def test_a_missing_program_is_one_sentence(
    stub: Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(EngineError, match=r"needs the program piper .*install it with") as caught:
        stub.engine.load()
    assert caught.value.code == "missing_package"


def test_a_missing_voice_is_one_sentence(stub: Stub) -> None:
    for file in stub.voices.glob("*"):
        file.unlink()
    with pytest.raises(EngineError, match=r"no Piper voice in .*piper; put NAME\.onnx"):
        stub.engine.load()


@pytest.mark.parametrize("content", [{}, [], {"audio": {}}, {"language": "en"}])
def test_a_voice_without_its_description_is_named(stub: Stub, content: object) -> None:
    stub.describe("joe", content)
    with pytest.raises(EngineError, match=r"voice joe has no readable joe\.onnx\.json"):
        stub.engine.load()
