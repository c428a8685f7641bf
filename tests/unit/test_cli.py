import errno
import subprocess
import sys
from pathlib import Path

import pytest
from livekit.plugins.local.errors import engine_error
from livekit.plugins.local.models.errors import model_error
from typer.testing import CliRunner

from agent.cli import main as cli
from agent.cli.settings_doc import env_example, markdown_tables
from agent.errors import UserError
from agent.settings import Settings

pytestmark = pytest.mark.unit

COMMANDS = (
    "up dev status doctor engine llm worker web call models bench livekit-server settings".split()
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_listed_and_explains_itself(command: str) -> None:
    runner = CliRunner()
    assert f"│ {command} " in runner.invoke(cli.app, ["--help"]).output
    result = runner.invoke(cli.app, [command, "--help"])
    assert result.exit_code == 0
    assert f"eloquence {command}" in result.output


def test_help_loads_nothing_that_takes_long() -> None:
    code = (
        "import sys, agent.cli.main; "
        "slow = {'livekit', 'numpy', 'aiohttp', 'pydantic', 'xllamacpp'} & set(sys.modules); "
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@pytest.mark.parametrize(
    "error",
    [
        UserError("WEB_PORT is odd."),
        engine_error("gpu_too_old", wanted="cuda"),
        model_error("unknown_model", model="whisper-huge"),
    ],
)
def test_what_a_person_can_put_right_is_one_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("agent.engine_process.run", fail)
    monkeypatch.setattr(sys, "argv", ["eloquence", "engine"])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    assert exited.value.code == 1
    assert capsys.readouterr() == ("", f"eloquence: {error}\n")


def test_a_full_disk_is_one_line_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/keys.json")

    monkeypatch.setattr("agent.engine_process.run", fail)
    monkeypatch.setattr(sys, "argv", ["eloquence", "engine"])
    with pytest.raises(SystemExit) as exited:
        cli.main()
    assert exited.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "/somewhere/keys.json" in line
    assert "ELOQUENCE_CACHE_DIR" in line


def test_anything_else_is_a_defect_and_shows_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("agent.engine_process.run", fail)
    monkeypatch.setattr(sys, "argv", ["eloquence", "engine"])
    with pytest.raises(RuntimeError, match="a defect"):
        cli.main()


def test_settings_prints_them_in_both_forms() -> None:
    runner = CliRunner()
    assert runner.invoke(cli.app, ["settings"]).output == env_example()
    assert runner.invoke(cli.app, ["settings", "--markdown"]).output == markdown_tables()


def test_livekit_server_prints_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "a server"
    server.write_text("#!/bin/sh\necho livekit-server version 1.13.5\n")
    server.chmod(0o755)
    monkeypatch.delenv("LIVEKIT_URL", raising=False)
    monkeypatch.setenv("LIVEKIT_SERVER_BIN", str(server))
    assert CliRunner().invoke(cli.app, ["livekit-server"]).output == f"'{server}'\n"


def test_livekit_server_is_not_needed_with_an_outside_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:1")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "0123456789abcdef0123456789abcdef")
    assert "LIVEKIT_URL" in CliRunner().invoke(cli.app, ["livekit-server"]).output


def test_up_takes_a_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROFILE", "DEVICE", "STT_MODEL"):
        # First set, so that what the command puts there goes away with the test.
        monkeypatch.setenv(name, "")
    started: list[Settings] = []
    monkeypatch.setattr("agent.up.run.run", lambda settings, **_: started.append(settings))
    assert CliRunner().invoke(cli.app, ["up", "--profile", "gpu"]).exit_code == 0
    (settings,) = started
    assert (settings.device, settings.stt_model) == ("cuda", "whisper-large-v3-turbo")
