import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from agent.up.children import Child

pytestmark = pytest.mark.unit

# Prints its own and its child's process id; both ignore SIGTERM.
STUBBORN_FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) == 1:
    child = subprocess.Popen([sys.executable, __file__, "leaf"])
    print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


async def started(code: str, *, until: str | None = None) -> tuple[Child, list[str]]:
    """Start a child and, if asked to, wait for a line of its output."""
    lines: list[str] = []
    seen = asyncio.Event()

    def on_line(line: str) -> None:
        lines.append(line)
        if line == until:
            seen.set()

    child = Child(python(code), os.environ, on_line)
    await child.start()
    if until:
        async with asyncio.timeout(10):
            await seen.wait()
    return child, lines


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_output_comes_line_by_line_with_the_exit_status() -> None:
    child, lines = await started(
        """
        import sys
        print("one", flush=True)
        print("two", file=sys.stderr, flush=True)
        sys.stdout.write("10 %\\r20 %\\rno end")
        sys.exit(3)
        """
    )
    assert await child.wait() == 3
    assert lines == ["one", "two", "10 %", "20 %", "no end"]
    assert child.last_line == "no end"


async def test_a_line_longer_than_any_buffer_arrives_whole() -> None:
    child, lines = await started("print('x' * 300_000)")
    await child.wait()
    assert lines == ["x" * 300_000]


async def test_stop_lets_a_child_end_by_itself() -> None:
    child, lines = await started(
        """
        import os, signal, sys, time
        # Not with print, in the middle of which the signal may come.
        signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b"bye\\n"), sys.exit(0)))
        print("up", flush=True)
        time.sleep(60)
        """,
        until="up",
    )
    await child.stop(grace=10)
    assert lines == ["up", "bye"]
    assert await child.wait() == 0


async def test_stop_kills_whoever_ignores_it_with_everything_it_started(tmp_path: Path) -> None:
    script = tmp_path / "family.py"
    script.write_text(STUBBORN_FAMILY)
    pids: list[int] = []
    child = Child(
        [sys.executable, str(script)], os.environ, lambda line: pids.extend(map(int, line.split()))
    )
    await child.start()
    await eventually(lambda: len(pids) == 2)
    before = time.monotonic()
    await child.stop(grace=0.2)
    assert time.monotonic() - before < 3
    await eventually(lambda: all(gone(pid) for pid in pids))


async def test_wait_does_not_wait_for_a_grandchild_that_holds_the_output() -> None:
    child, lines = await started(
        """
        import subprocess, sys
        print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
        """
    )
    async with asyncio.timeout(10):
        assert await child.wait() == 0
    await child.stop(grace=0)
    await eventually(lambda: gone(int(lines[0])))


async def test_a_program_that_does_not_exist_is_an_os_error() -> None:
    child = Child(["/does/not/exist"], os.environ, lambda _: None)
    with pytest.raises(FileNotFoundError):
        await child.start()
    await child.stop(grace=0)


if sys.platform.startswith("linux"):

    async def test_a_child_ends_when_its_parent_is_killed() -> None:
        parent = await asyncio.create_subprocess_exec(
            *python(
                """
                import asyncio, os, sys
                from agent.up.children import Child
                async def main():
                    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
                    child = Child([sys.executable, "-c", code], os.environ, print_now)
                    await child.start()
                    await child.wait()
                def print_now(line):
                    print(line, flush=True)
                asyncio.run(main())
                """
            ),
            stdout=subprocess.PIPE,
        )
        assert parent.stdout is not None
        pid = int(await parent.stdout.readline())
        try:
            parent.send_signal(signal.SIGKILL)
            await parent.wait()
            await eventually(lambda: gone(pid))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
