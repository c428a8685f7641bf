"""What is not installed is known at once, before anything slow is imported."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from livekit.plugins.local.packages import (
    ENGINE,
    VOICES,
    missing_for_engine,
    missing_for_voices,
)

from agent.settings import Settings

pytestmark = pytest.mark.unit


@pytest.fixture
def without(tmp_path: Path) -> Path:
    """A place for packages that has all of ours but for one recogniser and CTranslate2."""
    return leave_out(tmp_path, "moonshine_voice", "ctranslate2")


def leave_out(place: Path, *packages: str) -> Path:
    """Fill a place for packages with links to all of ours but for some, given by their paths."""
    link_all(place_of("numpy").parent, place, [Path(package) for package in packages])
    return place


def link_all(source: Path, target: Path, but: Sequence[Path]) -> None:
    here = {path.parts[0]: Path(*path.parts[1:]) for path in but}
    for entry in source.iterdir():
        if entry.name not in here:
            (target / entry.name).symlink_to(entry)
        elif (rest := here[entry.name]).parts:
            (target / entry.name).mkdir()
            link_all(entry, target / entry.name, [rest])


def place_of(package: str) -> Path:
    """The directory of an installed package."""
    spec = find_spec(package)
    assert spec
    assert spec.origin
    return Path(spec.origin).parent


def run(place: Path, *arguments: str) -> str:
    """Run a module with the packages of ``place``, and return its last words."""
    # `-S` leaves out the real place; the workspace's own packages are found by their paths.
    add = f"import site, sys; site.addsitedir({str(place)!r}); sys.argv = {list(arguments)!r}; "
    code = f"{add}import runpy; runpy.run_module({arguments[0]!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "start"),
    [(("livekit.plugins.local.engine",), "engine: "), (("agent", "engine"), "eloquence: ")],
)
def test_an_engine_without_a_package_says_which_and_how_to_get_it(
    without: Path, command: Sequence[str], start: str
) -> None:
    assert run(without, *command) == (
        f"{start}The speech engine needs the package ctranslate2, which is not installed; "
        "install it with `pip install 'livekit-plugins-local[engine]'`."
    )


@pytest.mark.parametrize(
    ("command", "lacking", "said"),
    [
        (("up", "--no-browser"), "ctranslate2", "The speech engine needs the package ctranslate2"),
        (("up", "--no-browser"), "livekit/agents", "The worker needs the package livekit-agents"),
        (("up", "--no-browser"), "xllamacpp", "The embedded language model needs the package"),
        (("dev", "--no-browser"), "faster_whisper", "needs the package faster-whisper"),
        (("llm",), "xllamacpp", "The embedded language model needs the package xllamacpp"),
        (("worker",), "livekit/agents", "The worker needs the package livekit-agents"),
        (("bench", "stt"), "whisper_normalizer", "needs the package whisper-normalizer"),
    ],
)
def test_each_command_says_what_it_lacks_and_how_to_get_it(
    tmp_path: Path, command: Sequence[str], lacking: str, said: str
) -> None:
    told = run(leave_out(tmp_path, lacking), "agent", *command)
    assert told.startswith("eloquence: ")
    assert said in told
    assert "which is not installed; install it with `pip install" in told


def test_a_recogniser_without_its_package(without: Path) -> None:
    (without / "ctranslate2").symlink_to(place_of("ctranslate2"))
    said = run(without, "livekit.plugins.local.engine", "--stt-model", "moonshine-tiny-en")
    assert "STT_MODEL=moonshine-tiny-en needs the package moonshine-voice" in said


def test_what_is_installed_is_not_missed() -> None:
    settings = Settings()
    assert missing_for_engine(settings.stt_model) == []
    assert missing_for_voices(["hibari/heart", "openai/alloy"]) == []


def test_a_voice_without_its_package_or_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lacking = missing_for_voices(["pocket/alba", "kokoro/ff_siwis", "piper/joe", "hibari/heart"])
    assert [failure.code for failure in lacking] == ["missing_package"] * 3
    said = " ".join(failure.message for failure in lacking)
    for part in ("pocket-tts", "espeak-ng", "piper", "pipx install", "apt-get install"):
        assert part in said


def test_asking_imports_nothing() -> None:
    modules = [module for each in (*ENGINE, *VOICES.values()) for module in each.modules]
    code = (
        "import sys; from livekit.plugins.local import packages as p; "
        "p.missing_for_engine('moonshine-tiny-en'); "
        "p.missing_for_voices(f'{name}/x' for name in p.VOICES); "
        f"loaded = set({modules!r}) & set(sys.modules); assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
