import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit.plugins.local.models import ModelError, ModelStore, Progress, default_manifest
from livekit.plugins.local.models.view import View
from typer.testing import CliRunner

from agent.cli import models as models_cli
from agent.cli.models import app, needed_models, plain_lines
from agent.errors import UserError
from agent.settings import load
from tests.support.models_origin import Origin, manifest, model, run_origin

pytestmark = pytest.mark.unit

WEIGHTS = os.urandom(50_000)


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STT_MODEL", "LLM_MODEL", "LLM_BASE_URL", "TTS_VOICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def pretend_to_have(model_id: str) -> Path:
    """Put files of the right length, with holes for content, where a model's would be."""
    root, entry = load().cache_dir / "models", default_manifest()[model_id]
    for file in entry.files:
        blob = root / "sha256" / file.sha256
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.touch()
        os.truncate(blob, file.size)
    view = View(root, entry)
    view.make()
    return view.path


def test_the_default_settings_need_the_default_models() -> None:
    assert needed_models(load()) == [
        "whisper-base",
        "qwen2.5-coder-1.5b-instruct-q4_k_m",
        "kokoro-82m-q8",
        "kokoro-voices",
    ]


def test_an_outside_llm_and_other_voices_need_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("LLM_MODEL", "whatever-runs-there")
    monkeypatch.setenv("TTS_VOICES", "en=hibari/heart")
    assert needed_models(load()) == ["whisper-base"]


@pytest.mark.parametrize(
    ("setting", "value"), [("STT_MODEL", "wisper"), ("LLM_MODEL", "whisper-base")]
)
def test_a_setting_that_names_no_such_model_is_a_clear_error(
    setting: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(UserError, match=f"{setting} is '{value}', but must be one of .+"):
        needed_models(load())


def test_the_list_says_what_is_here() -> None:
    pretend_to_have("kokoro-voices")
    lines = {line.split()[0]: line for line in run("list").splitlines() if line.strip()}
    assert lines["kokoro-voices"].split()[-1] == "yes"
    assert lines["whisper-base"].split()[1:] == ["stt", "147.9", "MB", "MIT", "no"]
    assert {entry.id for entry in default_manifest()} < lines.keys()


def test_pulling_what_is_here_takes_no_time_and_says_so() -> None:
    needed = needed_models(load())
    for name in needed:
        pretend_to_have(name)
    started = time.monotonic()
    output = run("pull")
    assert time.monotonic() - started < 0.5
    assert output.splitlines() == [f"{name}: already here" for name in needed]


def test_the_path_of_a_model_is_printed() -> None:
    directory = pretend_to_have("kokoro-voices")
    assert run("path", "kokoro-voices").strip() == str(directory)
    with pytest.raises(ModelError, match="fetch it with `eloquence models pull whisper-base`"):
        run("path", "whisper-base")


def test_verify_finds_what_only_looks_right() -> None:
    pretend_to_have("kokoro-voices")
    with pytest.raises(UserError, match="Not intact: kokoro-voices; `eloquence models pull`"):
        run("verify", "kokoro-voices")
    with pytest.raises(ModelError, match="is not on this machine"):
        run("path", "kokoro-voices")


def test_an_unknown_name_is_a_clear_error() -> None:
    with pytest.raises(
        ModelError, match="no-such-model; choose one that `eloquence models list` shows"
    ):
        run("pull", "no-such-model")


@pytest.fixture
async def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    """A hub with one model, which the command line knows."""
    entry = model({"model.bin": WEIGHTS})
    store = ModelStore(tmp_path / "store", manifest=manifest(entry))
    monkeypatch.setattr(models_cli, "model_store", lambda _: store)
    async with run_origin() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        server.add_hub_file(entry, entry.files[0], WEIGHTS)
        yield server


@pytest.mark.usefixtures("origin")
async def test_pull_fetches_and_verify_agrees() -> None:
    output = await asyncio.to_thread(run, "pull", "small")
    assert output.splitlines()[0].startswith("small: downloading, 0 bytes of 50.0 kB")
    assert output.splitlines()[-1] == "small: ready"
    assert await asyncio.to_thread(run, "verify", "small") == "small: intact\n"


@pytest.mark.usefixtures("origin")
async def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = await asyncio.to_thread(run, "pull", "small")
    assert "50.0/50.0 kB" in output
    assert "small: ready" in output


def test_lines_tell_amount_and_rate_now_and_then() -> None:
    lines: list[str] = []
    clock = iter([0.0, 1.0, 6.0, 7.0, 8.0])
    show = plain_lines(lines.append, lambda: next(clock))
    for done in (0, 1_000_000, 12_000_000):
        show(Progress("m", "downloading", "f", done, 20_000_000))
    show(Progress("m", "verifying", "f", 20_000_000, 20_000_000))
    show(Progress("m", "ready", "", 20_000_000, 20_000_000))
    assert lines == [
        "m: downloading, 0 bytes of 20.0 MB",
        "m: downloading, 12.0 MB of 20.0 MB (2.0 MB/s)",
        "m: verifying, 20.0 MB of 20.0 MB",
    ]


async def test_models_are_carried_and_removed(origin: Origin, tmp_path: Path) -> None:
    def go() -> None:
        run("pull", "small")
        bundle = str(tmp_path / "small.tar")
        assert run("export", bundle, "small").startswith(f"{bundle}: small (")
        assert run("rm", "small") == "small: 50.0 kB freed\n"
        assert run("list").splitlines()[3].split()[-1] == "no"
        origin.requests.clear()
        assert run("import", bundle).splitlines()[-1] == "small: ready"
        assert run("verify", "small") == "small: intact\n"

    await asyncio.to_thread(go)
    assert origin.requests == []


def test_a_recogniser_of_ones_own_needs_no_model_or_its_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("TTS_VOICES", "en=hibari/heart")
    monkeypatch.setenv("STT_MODEL", str(tmp_path))
    assert needed_models(load()) == []
    monkeypatch.setenv("STT_MODEL", "my-org/whisper-fr@v2")
    assert needed_models(load()) == ["my-org/whisper-fr@v2"]


@pytest.mark.parametrize("value", ["hub,huggingface", "ftp://mirror/models"])
def test_a_source_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_SOURCES", value)
    with pytest.raises(UserError, match=r"MODEL_SOURCES .* must name `hub`, `packages`"):
        load()
