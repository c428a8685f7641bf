"""An engine of its own, which a test may kill."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from agent.readiness import Readiness
from agent.readiness_feed import first, told_by


@dataclass
class EngineProcess:
    """``eloquence engine``, or another program like it, on a socket in ``folder``."""

    folder: Path
    env: dict[str, str]
    program: tuple[str, ...] = ("agent", "engine")
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def address(self) -> str:
        """What ENGINE_URL is set to."""
        return f"unix:{self.folder}/own-engine.sock"

    def start(self) -> None:
        """Start it; its log goes to ``folder``."""
        with (self.folder / "engine.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.program],
                env={**self.env, "ENGINE_URL": self.address},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        """End it without warning."""
        if self.process:
            self.process.kill()
            self.process.wait()

    async def ready(self) -> None:
        """Wait until all its models are loaded, or have failed and others stand in."""

        def loaded(answer: Readiness | None) -> bool:
            return answer is not None and answer.ready and answer.settled

        async with asyncio.timeout(60):
            await first(told_by(self.address), loaded)
