"""A machine without AVX2, with a tiny disk, without its models, without its GPU."""

import json
import subprocess
import sys
from collections.abc import Callable
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

from agent.doctor import installed, machine
from agent.doctor.check import Check, Run, blocking
from agent.doctor.finding import Finding
from agent.doctor.runner import examine
from agent.settings import Settings
from tests.support.doctor import settings

pytestmark = pytest.mark.unit


async def look(examine_it: Callable[[Settings], Finding] | Run, given: Settings) -> Finding:
    run = examine_it if iscoroutinefunction(examine_it) else blocking(examine_it)  # type: ignore[arg-type]
    return (await examine([Check("x", run, deadline=30)], given)).findings["x"]


@pytest.mark.parametrize(
    ("flags", "level", "found"),
    [
        ("fpu sse4_1 avx avx2 fma", "ok", "AVX2, FMA"),
        ("fpu sse4_1 avx", "warn", "without AVX2"),
    ],
)
def test_the_processors_features_are_read(
    flags: str, level: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: none\n")
    finding = machine.processor(settings(), cpuinfo)
    assert finding.level == level
    assert found in finding.found


def test_a_small_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("2000000000\n")
    monkeypatch.setattr(machine, "_CGROUP_LIMIT", limit)
    finding = machine.memory(settings())
    assert finding.level == "warn"
    assert "2.0 GB of memory" in finding.found


def test_a_full_memory_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SPARE_MEMORY", 2**62)
    assert machine.memory(settings()).level == "fail"


async def test_missing_models_are_named_with_what_fetches_them(tmp_path: Path) -> None:
    finding = await look(installed.models, settings(cache_dir=tmp_path))
    assert finding.level == "fail"
    assert "whisper-base" in finding.found
    assert "eloquence models pull whisper-base" in finding.remedy


async def test_a_model_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "my-whisper"
    finding = await look(installed.models, settings(cache_dir=tmp_path, stt_model=str(gone)))
    assert finding.level == "fail"
    assert str(gone) in finding.found


# On a disk that is really that small; mounted where only this process sees it.
_ON_A_TINY_DISK = """
import asyncio, json, sys
from pathlib import Path
from agent.doctor import machine
from agent.doctor.check import Check, Run, blocking
from agent.doctor.runner import examine
from tests.support.doctor import settings
given = settings(cache_dir=Path(sys.argv[1]) / "cache")
check = Check("disk", blocking(machine.disk), deadline=30)
found = asyncio.run(examine([check], given)).findings["disk"]
print(json.dumps([found.level, found.found, found.remedy]))
"""


def test_a_disk_too_small_for_the_models_is_told_with_what_is_missing(tmp_path: Path) -> None:
    script = f'mount -t tmpfs -o size=1m none "$1" && exec {sys.executable} -c "$2" "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), _ON_A_TINY_DISK],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    level, found, remedy = json.loads(done.stdout)
    assert level == "fail"
    assert str(tmp_path) in found
    assert "are free" in found
    assert "ELOQUENCE_CACHE_DIR" in remedy


async def test_a_gpu_that_is_asked_for_and_missing_is_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "_SMI", ("no-such-program",))
    # A number that no machine reaches.
    finding = await look(machine.gpu, settings(device="cuda:99"))
    assert finding.level == "fail"
    assert "DEVICE=cuda:99" in finding.found
    assert "DEVICE=cpu" in finding.remedy


async def test_no_gpu_is_well_where_none_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_SMI", ("no-such-program",))
    assert (await look(machine.gpu, settings(device="auto"))).level == "ok"


@pytest.mark.parametrize(
    ("script", "level", "found"),
    [
        ("#!/bin/sh\necho livekit-server version 1.13.5\n", "ok", "livekit-server 1.13.5"),
        ("#!/bin/sh\necho livekit-server version 1.0.0\n", "warn", "is version 1.0.0"),
        ("not a program", "fail", "does not run here"),
        (None, "fail", "is no program"),
    ],
)
async def test_the_servers_program_is_tried(
    script: str | None, level: str, found: str, tmp_path: Path
) -> None:
    program = tmp_path / "livekit-server"
    if script is not None:
        program.write_text(script)
        program.chmod(0o755)
    finding = await look(installed.server_program, settings(livekit_server_bin=program))
    assert (finding.level, found in finding.found) == (level, True), finding


async def test_a_missing_package_of_a_voice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    finding = await look(installed.packages, settings())
    assert finding.level == "warn"
    assert "espeak-ng" in finding.found
    assert "apt-get install espeak-ng" in finding.remedy


def test_versions_are_told() -> None:
    finding = installed.versions(settings())
    assert finding.level == "ok"
    assert "livekit-agents 1." in finding.found
