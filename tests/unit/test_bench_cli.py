import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from typer.testing import CliRunner

from agent.bench import corpus, machine
from agent.bench.stt.run import Plan, run
from agent.bench.targets import Target
from agent.cli.main import app
from agent.errors import UserError
from agent.settings import Settings

pytestmark = pytest.mark.unit


def test_the_command_explains_its_options() -> None:
    output = CliRunner().invoke(app, ["bench", "stt", "--help"]).output
    for option in ("--corpus", "--json", "--calls", "--languages", "--limit", "--long", "--resume"):
        assert option in output


def test_unknown_systems_are_refused() -> None:
    result = CliRunner().invoke(app, ["bench", "stt", "--systems", "ours,whisper"])
    assert isinstance(result.exception, UserError)
    assert "--systems is 'ours,whisper', but must name some of ours" in str(result.exception)


def test_resuming_needs_a_file() -> None:
    result = CliRunner().invoke(app, ["bench", "stt", "--resume"])
    assert str(result.exception) == "--resume adds to a report; name its file with --json."


@pytest.mark.parametrize(("measured", "status"), [(350.0, 0), (377.0, 1)])
def test_a_missed_target_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, measured: float, status: int
) -> None:
    async def run(*_: object) -> SimpleNamespace:
        return SimpleNamespace(targets=[Target("flush to final, p95, ms", measured, 350)])

    monkeypatch.setattr("agent.bench.stt.command.run", run)
    monkeypatch.setattr("agent.bench.stt.command.tables.render", lambda _: [])
    result = CliRunner().invoke(app, ["bench", "stt"])
    assert result.exit_code == status
    assert ("377.00, at most 350" in str(result.exception)) == bool(status)


def test_no_library_sends_usage_events() -> None:
    code = "import os, agent.bench; assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'"
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=60)


async def test_a_model_that_is_not_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path))
    plan = Plan(settings=Settings(), folder=None, languages=["en"])
    with pytest.raises(UserError, match="STT_MODEL whisper-base is not here"):
        await run(plan, print)


def test_the_default_corpus_lies_beside_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "checkout" / "agent" / "bench" / "corpus.py"
    monkeypatch.setattr(corpus, "__file__", str(module))
    assert corpus.default_folder() is None
    folder = tmp_path / "shared" / "speech"
    folder.mkdir(parents=True)
    (folder / "clips.tsv").touch()
    assert corpus.default_folder() == folder


@pytest.mark.parametrize(
    ("spent", "share"), [((10.0, 12.0), 0.5), ((10.0, 9.9), 0.0), ((10.0, 30.0), 1.0)]
)
def test_bystanders_have_their_share_of_all_processors(
    monkeypatch: pytest.MonkeyPatch, spent: tuple[float, float], share: float
) -> None:
    readings, times = iter(spent), iter([100.0, 102.0])
    monkeypatch.setattr(machine, "_others", lambda: next(readings))
    monkeypatch.setattr(machine, "perf_counter", lambda: next(times))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    assert machine.Bystanders().share == pytest.approx(share)


def test_the_cost_of_a_process_is_read_from_the_system() -> None:
    usage = machine.Usage(os.getpid())
    before = usage.cpu_seconds
    while usage.cpu_seconds == before:
        sum(range(100_000))
    assert usage.megabytes > 1
