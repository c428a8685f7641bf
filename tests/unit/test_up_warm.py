"""Copies of a process that has imported what does not change, and what happens without it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from agent.up.children import Child
from agent.up.warm import Zygote

pytestmark = pytest.mark.unit

# Takes long to import, like a real library: until there is a file.
LIBRARY = """
import os, time
while not os.path.exists("imported"):
    time.sleep(0.01)
"""
# Says which worker this is; run as a program it is the ordinary one.
WORKER = """
import os, sys
print(os.environ["NAME"], "warm" if "library" in sys.modules else "cold", flush=True)
"""
STAYS = WORKER + "import time; time.sleep(60)\n"
FAMILY = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
time.sleep(60)
"""


class Yard:
    """A directory with a source in it, and a zygote that works there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self._others = children()
        self.zygote = Zygote(self.lines.append, imports=["library"], module="trial")

    def write(self, text: str, name: str = "trial.py") -> None:
        (self.folder / name).write_text(text)

    def worker(self, name: str, **variables: str) -> Child:
        argv = (sys.executable, "trial.py")
        return self.zygote.worker(argv, os.environ | variables | {"NAME": name}, self.lines.append)

    async def run(self, name: str, **variables: str) -> int:
        worker = self.worker(name, **variables)
        await worker.start()
        try:
            async with asyncio.timeout(10):
                return await worker.wait()
        finally:
            await worker.stop(0)

    async def start(self, name: str) -> Child:
        worker = self.worker(name)
        await worker.start()
        await self.until(lambda: bool(self.lines))
        return worker

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)

    def process(self) -> psutil.Process:
        (process,) = self.family()
        return process

    def family(self) -> set[psutil.Process]:
        """The processes that this yard started."""
        return children() - self._others


def children() -> set[psutil.Process]:
    return set(psutil.Process().children())


@pytest.fixture
async def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Yard]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yard = Yard(tmp_path)
    yard.write(LIBRARY, "library.py")
    yard.write(WORKER)
    yard.write("", "imported")
    await yard.zygote.renew()
    yield yard
    await yard.zygote.stop()
    assert not yard.family()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_copy_loads_the_source_as_it_is_by_then(yard: Yard) -> None:
    yard.write("VALUE = 1\n", "part.py")
    yard.write("import part; print(part.VALUE)")
    await yard.run("one")
    yard.write("VALUE = 23\n", "part.py")
    await yard.run("two")
    assert yard.lines == ["1", "23"]


async def test_a_copy_has_the_libraries_and_the_new_environment_alone(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard.write(WORKER + "print(os.environ.get('SETTING'))\n")
    await yard.run("one", SETTING="5")
    await yard.run("two")
    assert yard.lines == ["one warm", "5", "two warm", "None"]


async def test_the_exit_status_is_known_and_the_traceback_printed(yard: Yard) -> None:
    yard.write("import sys; sys.exit(3)")
    assert await yard.run("one") == 3
    yard.write("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert await yard.run("two") == -signal.SIGKILL
    yard.write("x = 1\ny = nonsense\n")
    assert await yard.run("three") == 1
    assert yard.lines[-1] == "NameError: name 'nonsense' is not defined"


async def test_a_copy_is_stopped_with_all_its_children(yard: Yard) -> None:
    yard.write(FAMILY)
    worker = await yard.start("one")
    pids = [int(pid) for pid in yard.lines[0].split()]
    await worker.stop(0)
    assert await worker.wait() == -signal.SIGKILL
    await yard.until(lambda: all(gone(pid) for pid in pids))


async def test_a_copy_that_is_asked_to_stop_does(yard: Yard) -> None:
    yard.write(STAYS)
    worker = await yard.start("one")
    await worker.stop(10)
    assert await worker.wait() == -signal.SIGTERM


async def test_nothing_runs_for_someone_who_no_longer_waits(yard: Yard) -> None:
    await yard.zygote.stop()
    (yard.folder / "imported").unlink()
    await yard.zygote.renew()
    waiting = asyncio.create_task(yard.run("one"))
    # It waits for the library, as the zygote does; a newer save comes.
    await asyncio.wait({waiting}, timeout=0.1)
    waiting.cancel()
    await asyncio.wait({waiting})
    yard.write("", "imported")
    assert await yard.run("two") == 0
    await yard.until(lambda: not yard.process().children())
    assert yard.lines == ["two warm"]


async def test_without_its_zygote_a_worker_starts_slowly(yard: Yard) -> None:
    # It is known to be gone, or only found to be.
    late = yard.worker("late")
    yard.process().kill()
    await late.start()
    assert await late.wait() == 0
    await late.stop(0)
    await yard.until(lambda: type(yard.worker("")) is Child)
    await yard.run("later")
    await yard.zygote.renew()
    await yard.run("again")
    assert yard.lines == ["late cold", "later cold", "again warm"]


async def test_what_libraries_read_when_imported_needs_a_new_zygote(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    first = yard.process().pid
    await yard.run("one")
    await yard.zygote.renew()
    await yard.run("two")
    assert yard.lines == ["one cold", "two warm"]
    assert yard.process().pid != first
    await yard.zygote.renew()
    assert yard.process().pid != first


async def test_copies_end_with_the_zygote_whatever_becomes_of_it(yard: Yard) -> None:
    yard.write(STAYS)
    worker = await yard.start("one")
    (copy,) = yard.process().children()
    yard.process().kill()
    async with asyncio.timeout(10):
        assert await worker.wait() < 0
    await yard.until(lambda: gone(copy.pid))
    await worker.stop(0)
