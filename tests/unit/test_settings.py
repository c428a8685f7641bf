import os
import re
from pathlib import Path

import pytest

from agent.cli.settings_doc import env_example, markdown_tables
from agent.errors import UserError
from agent.settings import ENV_FILE_READ, Settings, env_name, load

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^# ([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
NAMES = {env_name(field) for field in Settings.model_fields}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        # First set, so that what `load` puts there goes away with the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def env_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / ".env"
    path.write_text(text)
    return path


def test_the_example_file_is_up_to_date() -> None:
    assert (ROOT / ".env.example").read_text() == env_example(), (
        "run `eloquence settings > .env.example`"
    )


def test_the_readme_is_up_to_date() -> None:
    _, _, rest = (ROOT / "README.md").read_text().partition("<!-- settings: ")
    shown = rest.partition("-->")[2].partition("<!-- end of settings -->")[0]
    assert shown.strip() == markdown_tables().strip(), "paste `eloquence settings --markdown`"


def test_the_example_names_every_setting_once() -> None:
    assert sorted(name for name, _ in LINE.findall(env_example())) == sorted(NAMES)


def test_the_example_with_every_line_active_is_the_default(tmp_path: Path) -> None:
    path = env_file(tmp_path, LINE.sub(r"\1=\2", env_example()))
    assert "\nAGENT_NAME=" in path.read_text()
    assert load(path) == Settings.model_validate({})


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_the_tables_name_every_setting_with_its_default() -> None:
    tables = markdown_tables()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", tables, re.MULTILINE)) == NAMES
    assert "| `WEB_PORT` | `8080` |" in tables


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_PORT", "9001")
    settings = load(env_file(tmp_path, "WEB_PORT=9002\nLLM_PORT=9003\n"))
    assert (settings.web_port, settings.llm_port) == (9001, 9003)


def test_what_the_file_sets_reaches_child_processes(tmp_path: Path) -> None:
    load(env_file(tmp_path, "LLM_PORT=9003\n"))
    assert os.environ["LLM_PORT"] == "9003"


def test_an_unknown_name_suggests_the_one_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"WEB_PROT, .*did you mean WEB_PORT\?"):
        load(env_file(tmp_path, "WEB_PROT=1\n"))


def test_an_unknown_name_like_no_other_points_to_the_list(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"XYZZY, .*\.env\.example"):
        load(env_file(tmp_path, "XYZZY=1\n"))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"\n# mine\n\nWEB_PORT 9001\nLLM_PORT=9003\n", "line 4"),
        (b"dear computer, use port = 9001", "line 1"),
        (b"GREETING='Hello", "line 1"),
        (b"GREETING=caf\xe9", "UTF-8"),
        (b"GREETING=a\0b", "UTF-8"),
    ],
)
def test_a_file_that_makes_no_sense_is_one_sentence(
    tmp_path: Path, content: bytes, named: str
) -> None:
    path = tmp_path / ".env"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        load(path)
    sentence = str(raised.value)
    assert sentence.startswith(str(path))
    assert named in sentence
    assert "\n" not in sentence


def test_a_process_that_has_the_settings_already_reads_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may have changed since, or make no sense any more."""
    env_file(tmp_path, "WEB_PROT=1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError):
        load()
    monkeypatch.setenv(ENV_FILE_READ, "1")
    monkeypatch.setenv("WEB_PORT", "9001")
    assert load().web_port == 9001


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEB_PORT", "eighty"),
        ("WEB_PORT", "70000"),
        ("DEVICE", "gpu"),
        ("TTS_VOICES", "en:heart"),
        ("LANGUAGES", "english"),
        ("LLM_BASE_URL", "not a url"),
        ("LOG_LEVEL", "LOUD"),
        ("TTS_SPEED", "9"),
        ("STT", "moshi"),
        ("KYUTAI_URL", "kyutai.example:8080"),
        ("KYUTAI_STT_URL", "kyutai.example:8080"),
        ("KYUTAI_VOICE", "../../etc/passwd"),
    ],
)
def test_a_bad_value_is_one_sentence_with_name_and_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as raised:
        load(tmp_path / "none")
    sentence = str(raised.value)
    assert sentence.startswith(f"{name} is {value!r}")
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_bad_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIVEKIT_API_SECRET", "hush")
    with pytest.raises(UserError) as raised:
        load(tmp_path / "none")
    assert "LIVEKIT_API_SECRET" in str(raised.value)
    assert "hush" not in str(raised.value)


def test_secrets_have_no_representation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = "hush" * 8
    monkeypatch.setenv("LIVEKIT_API_SECRET", secret)
    monkeypatch.setenv("LLM_API_KEY", secret)
    assert secret not in repr(load(tmp_path / "none"))


def test_an_outside_server_needs_its_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIVEKIT_URL", "ws://127.0.0.1:1")
    with pytest.raises(UserError, match="LIVEKIT_API_KEY and LIVEKIT_API_SECRET"):
        load(tmp_path / "none")


@pytest.mark.parametrize("name", ["STT", "TTS"])
def test_kyutai_needs_its_address(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, "kyutai")
    with pytest.raises(UserError, match=f"{name} is kyutai, so KYUTAI_URL is needed"):
        load(tmp_path / "none")
    monkeypatch.setenv("KYUTAI_URL", "wss://kyutai.example/moshi")
    assert load(tmp_path / "none").kyutai_url == "wss://kyutai.example/moshi"


def test_an_empty_variable_means_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WEB_PORT", "")
    assert load(tmp_path / "none").web_port == 8080
