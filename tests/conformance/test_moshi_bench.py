"""The plugin beside a client that follows the widely copied recipe."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.bench.kyutai.command import measure, measure_overhead
from agent.cli.main import app
from agent.errors import UserError
from agent.settings import Settings
from tests.support.moshi.running import Kind, every_server

pytestmark = pytest.mark.conformance


@every_server()
async def test_the_plugin_is_faster_than_the_recipe(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path, step_seconds=0.01) as moshi:
        settings = Settings(_env_file=None, kyutai_url=moshi.address.replace("http", "ws"))
        timings = await measure(settings, 1)
        overhead = await measure_overhead(settings, 2)
    ours, theirs = timings["plugin"], timings["recipe"]
    assert len(ours) == len(theirs) == 1
    for mine, copied in zip(ours, theirs, strict=True):
        assert abs(mine.audio - copied.audio) < 0.1
        # What the recipe waits for nothing: half a second, and three words.
        assert mine.first < copied.first and mine.total < copied.total
    assert overhead.frames and overhead.words


def test_without_an_address_it_says_which_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KYUTAI_URL", "")
    result = CliRunner().invoke(app, ["bench", "kyutai"])
    assert isinstance(result.exception, UserError)
    assert "KYUTAI_URL" in str(result.exception)


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KYUTAI_URL", "ws://127.0.0.1:9")
    report = tmp_path / "report.json"
    result = CliRunner().invoke(app, ["bench", "kyutai", "--json", str(report)])
    assert isinstance(result.exception, UserError)
    assert "cannot be reached" in str(result.exception)
    assert not report.exists() or json.loads(report.read_text())
