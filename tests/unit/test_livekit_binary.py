import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import UserError
from agent.livekit import VERSION
from agent.livekit.binary import server_command
from agent.livekit.install import DOCKER_IMAGE, GO_PACKAGE, cached_path
from agent.settings import Settings

pytestmark = pytest.mark.unit

SERVER = f"echo livekit-server version {VERSION}"
# Tools of the real ones' command lines, in shell alone: nothing else is on the search path.
GO = 'test "$CGO_ENABLED$2" = "0{package}" && printf "#!/bin/sh\\n" > "$GOBIN/server"'

Program = Callable[..., Path]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one directory on the search path, empty."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("LIVEKIT_URL", "LIVEKIT_SERVER_BIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def program(path: Path, code: str = SERVER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{code}\n")
    path.chmod(0o755)
    return path


def cached(path: Path) -> Path:
    return cached_path(path.parent / "cache")


async def resolve(**settings: object) -> tuple[tuple[str, ...], list[str]]:
    said: list[str] = []
    return await server_command(Settings().model_copy(update=settings), said.append), said


async def test_the_configured_binary_comes_first(path: Path, tmp_path: Path) -> None:
    chosen = program(tmp_path / "mine")
    program(path / "livekit-server")
    program(cached(path))
    assert await resolve(livekit_server_bin=chosen) == ((str(chosen),), [])


async def test_a_configured_binary_that_is_missing_is_an_error(path: Path, tmp_path: Path) -> None:
    program(path / "livekit-server")
    with pytest.raises(UserError, match=r"LIVEKIT_SERVER_BIN .*is no file"):
        await resolve(livekit_server_bin=tmp_path / "missing")


async def test_a_configured_binary_that_is_not_executable_is_an_error(
    path: Path, tmp_path: Path
) -> None:
    program(path / "livekit-server")
    chosen = program(tmp_path / "mine")
    chosen.chmod(0o644)
    with pytest.raises(UserError, match=r"LIVEKIT_SERVER_BIN .*not executable"):
        await resolve(livekit_server_bin=chosen)


async def test_a_configured_binary_for_another_machine_is_an_error(
    path: Path, tmp_path: Path
) -> None:
    chosen = tmp_path / "mine"
    chosen.write_bytes(b"\x7fELF")
    chosen.chmod(0o755)
    with pytest.raises(UserError, match=r"LIVEKIT_SERVER_BIN .*does not run"):
        await resolve(livekit_server_bin=chosen)


async def test_the_search_path_comes_before_the_cache(path: Path) -> None:
    found = program(path / "livekit-server")
    program(cached(path))
    assert await resolve() == ((str(found),), [])


async def test_another_version_is_mentioned(path: Path) -> None:
    found = program(path / "livekit-server", "echo livekit-server version 1.9.0")
    command, said = await resolve()
    assert command == (str(found),)
    assert len(said) == 1
    assert "1.9.0" in said[0]
    assert VERSION in said[0]


async def test_the_cache_comes_before_go(path: Path) -> None:
    program(path / "go", "exit 1")
    kept = program(cached(path))
    assert await resolve() == ((str(kept),), [])


async def test_go_builds_the_pinned_version_into_the_cache(path: Path) -> None:
    program(path / "go", GO.replace("{package}", GO_PACKAGE) + ' && chmod +x "$GOBIN/server"')
    program(path / "chmod", 'exec /bin/chmod "$@"')
    command, said = await resolve()
    assert command == (str(cached(path)),)
    assert os.access(cached(path), os.X_OK)
    assert len(said) == 1
    assert "minutes" in said[0]
    assert list(cached(path).parent.iterdir()) == [cached(path)]
    assert await resolve() == (command, [])


async def test_docker_runs_it_where_go_fails(path: Path) -> None:
    program(path / "go", "exit 1")
    docker = program(path / "docker", 'test "$1" = info')
    command, _ = await resolve()
    assert command[:2] == (str(docker), "run")
    assert command[-1] == DOCKER_IMAGE
    assert command[command.index("--network") + 1] == "host"
    # The variable by name: its value, which holds the secret, stays off the command line.
    assert command[command.index("--env") + 1] == "LIVEKIT_CONFIG"


async def test_without_any_way_the_error_lists_them_all(path: Path) -> None:
    program(path / "go", "echo go: module needs go 1.26; exit 1")
    program(path / "docker", "exit 1")
    with pytest.raises(UserError) as raised:
        await resolve()
    text = str(raised.value)
    for way in ("Go 1.26", "LIVEKIT_SERVER_BIN", "Docker", "LIVEKIT_URL"):
        assert way in text
    assert "go: module needs go 1.26" in text
    assert not cached(path).exists()


async def test_without_go_the_error_says_so(path: Path) -> None:
    with pytest.raises(UserError, match="Go is not installed"):
        await resolve()
