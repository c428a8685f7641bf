import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from agent.caller.cli import call
from agent.errors import UserError
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return how to run the command; it gives back the sentence with which it fails."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name, raising=False)
    app = typer.Typer()
    app.command()(call)

    def fail(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        assert isinstance(result.exception, UserError), result.output
        assert result.exit_code != 0
        return str(result.exception)

    return fail


@pytest.fixture
def wav(tmp_path: Path) -> str:
    path = tmp_path / "q.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((9000 * np.sin(np.arange(4000))).astype("<i2").tobytes())
    return str(path)


def test_a_missing_wav_is_told_before_anything_is_contacted(run: Run) -> None:
    assert run("--wav", "gone.wav") == "Cannot read gone.wav: No such file or directory."


def test_room_and_token_url_exclude_each_other(run: Run, wav: str) -> None:
    sentence = run("--wav", wav, "--room", "r", "--token-url", "http://127.0.0.1:1/token")
    assert sentence.startswith("--room and --token-url exclude each other")


def test_the_token_endpoint_is_the_one_of_this_machine(
    run: Run, wav: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_PORT", str(port := free_port()))
    url = f"http://127.0.0.1:{port}/token"
    assert run("--wav", wav).startswith(f"No token endpoint answers at {url};")


def test_a_room_is_one_of_the_server_of_this_machine(
    run: Run, wav: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEKIT_PORT", str(port := free_port()))
    sentence = run("--wav", wav, "--room", "r")
    assert sentence.startswith(f"No LiveKit server answers at ws://127.0.0.1:{port};")
