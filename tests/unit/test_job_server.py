"""Job processes that come from a copy of the process that asks for them."""

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PROGRAM = """
import multiprocessing, os, sys, types
from agent.worker import job_server

def job(line):
    library = "library" in sys.modules
    # A job may want processes of its own, so that no lock may be left locked.
    inner = multiprocessing.get_context("forkserver").Process(target=print, args=("inner",))
    inner.start()
    inner.join()
    line.send((os.getppid(), library, inner.exitcode))

if __name__ == "__main__":
    sys.modules["library"] = types.ModuleType("library")
    job_server.fork(imports=[])
    context = multiprocessing.get_context("forkserver")
    for _ in range(2):
        here, there = context.Pipe()
        process = context.Process(target=job, args=(there,))
        process.start()
        print(*here.recv(), flush=True)
        process.join()
    assert process.exitcode == 0
"""


async def test_jobs_have_what_the_process_has_and_their_server_ends_with_it(
    tmp_path: Path,
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        program,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    words = [line.split() for line in output.decode().splitlines() if line != "inner"]
    server = int(words[0][0])
    assert words == [[str(server), "True", "0"]] * 2
    async with asyncio.timeout(10):
        while psutil.pid_exists(server):
            await asyncio.sleep(0.01)
