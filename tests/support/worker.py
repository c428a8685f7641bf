"""A worker of its own, started the way an operator starts it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.readiness import fetch_readiness
from tests.support.ports import free_port


@dataclass
class Worker:
    """A running ``eloquence worker``."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self.log.read_text()

    async def ready(self, seconds: float = 60) -> None:
        """Wait until it can take calls."""
        async with asyncio.timeout(seconds):
            while True:
                assert self.process.poll() is None, self.output
                readiness = await fetch_readiness(f"http://127.0.0.1:{self.port}")
                if readiness and readiness.ready:
                    return
                await asyncio.sleep(0.1)

    async def prints(self, text: str, seconds: float = 30) -> str:
        """Wait until it has printed ``text`` and return that line."""
        async with asyncio.timeout(seconds):
            while True:
                for line in self.output.splitlines():
                    if text in line:
                        return line
                assert self.process.poll() is None, self.output
                await asyncio.sleep(0.05)

    async def exits(self, seconds: float = 30) -> int:
        """Wait for its end and return its exit status."""
        return await asyncio.to_thread(self.process.wait, seconds)


@asynccontextmanager
async def run_worker(folder: Path, env: dict[str, str], **overrides: str) -> AsyncIterator[Worker]:
    """Start a worker and stop it afterwards; its log goes to ``folder``."""
    port, log = free_port(), folder / "worker.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", "worker"],
            env={**env, "WORKER_PORT": str(port), "DRAIN_SECONDS": "2", **overrides},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    worker = Worker(process, port, log)
    try:
        yield worker
    finally:
        process.terminate()
        await worker.exits(20)
