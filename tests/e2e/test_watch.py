"""``eloquence dev``: the source is saved in mid-call, and the call goes on with the new source."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from agent.up import zygote
from agent.up.warm import IMPORTS
from tests.support.line import Caller, on_the_line
from tests.support.stack import Stack, launch

pytestmark = pytest.mark.e2e

Say = Callable[[str, str], np.ndarray]

ROOT = Path(__file__).parents[2]
# A person waits 5 s; a machine with other work to do may take longer.
BACK_SECONDS = 15
TAKEN_OVER = "The new worker has taken over."


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source, to be edited."""
    copy = tmp_path_factory.mktemp("source")
    left_out = shutil.ignore_patterns("node_modules", "__pycache__")
    for part in ("agent", "plugins"):
        shutil.copytree(ROOT / part, copy / part, ignore=left_out)
    return copy


@pytest.fixture(scope="module")
def dev(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    plugin = source / "plugins" / "livekit-plugins-local"
    stack = launch(
        tmp_path_factory.mktemp("dev"),
        command="dev",
        cwd=source,
        PYTHONPATH=os.pathsep.join([str(source), str(plugin)]),
    )
    try:
        stack.ready()
        yield stack
    finally:
        stack.stop()


async def worker_of(stack: Stack) -> psutil.Process:
    """Return the process that answers as the worker."""
    port = int(stack.env["WORKER_PORT"])
    async with asyncio.timeout(30):
        while True:
            for process in psutil.Process(stack.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    sockets = process.net_connections("tcp4")
                    if any(
                        s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets
                    ):
                        return process
            await asyncio.sleep(0.05)


async def tell_the_name(caller: Caller, say: Say) -> None:
    await caller.hears("help you", since=0)
    await caller.listened_to()
    told = await caller.says(say("Hello, my name is Robert.", "en"))
    await caller.hears("Robert", since=told)
    await caller.listened_to()


async def ask_for_the_name(caller: Caller, say: Say) -> None:
    asked = await caller.says(say("What is my name?", "en"))
    await caller.hears("Robert", since=asked)
    await caller.listened_to()


async def test_five_saves_in_mid_call_leave_one_agent_that_remembers_and_obeys(
    dev: Stack, source: Path, say: Say, tmp_path: Path
) -> None:
    async with on_the_line(dev.page_url, tmp_path) as caller:
        await tell_the_name(caller, say)
        file = source / "agent" / "call" / "instructions.py"
        before = file.read_text()
        assert "You are Eloquence, " in before
        for name in ("Adam", "Berta", "Carl", "Dora", "Zelda"):
            file.write_text(before.replace("You are Eloquence, ", f"You are {name}, "))
            await asyncio.sleep(0.3)  # a person's saves, not a wait
        saved = time.monotonic()
        await asyncio.to_thread(dev.wait_for, TAKEN_OVER, 60)
        await caller.listened_to()

        await ask_for_the_name(caller, say)
        asked = await caller.says(say("And what is your own name?", "en"))
        await caller.hears("Zelda", since=asked)
        assert len(caller.agents) == 1
        assert caller.most == 1
        assert len(caller.left) == 1
        away, back = caller.came[-1] - caller.left[-1], caller.came[-1] - saved
        print(f"agent away for {away:.1f} s; back {back:.1f} s after the save")
        assert away < 5
        assert back < BACK_SECONDS
        # It did not have to import everything.
        worker = await worker_of(dev)
        assert Path(zygote.__file__).name in {Path(word).name for word in worker.cmdline()}
        # No second one follows, and nobody was greeted twice.
        assert caller.said(0).count("Hello! How can I help you?") == 1


async def test_a_syntax_error_is_named_and_the_worker_serves_until_the_next_save(
    dev: Stack, source: Path
) -> None:
    file = source / "agent" / "greeter.py"
    file.write_text("x = 1\ndef greet(:\n")
    line = await asyncio.to_thread(dev.wait_for, "agent/greeter.py, line 2", 30)
    assert "goes on" in line
    seen = dev.output.count(TAKEN_OVER)
    file.write_text("x = 1\n")
    async with asyncio.timeout(60):
        while dev.output.count(TAKEN_OVER) == seen:
            await asyncio.sleep(0.1)


def test_what_is_imported_beforehand_is_everything_but_the_source() -> None:
    program = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
before = set(sys.modules)
import agent.cli.main, agent.worker.server
ours = ("agent", "livekit.plugins.kyutai", "livekit.plugins.local")
modules = {name for name in sys.modules if name.partition(".")[0] not in sys.stdlib_module_names}
project = {name for name in modules if f"{name}.".startswith(tuple(f"{each}." for each in ours))}
print(sorted(project & before), sorted(modules - project - before))
"""
    run = subprocess.run(
        [sys.executable, "-c", program, *IMPORTS], stdout=subprocess.PIPE, text=True, check=True
    )
    assert run.stdout == "[] []\n"
