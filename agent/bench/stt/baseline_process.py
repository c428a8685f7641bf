"""Talking to a process that runs the baseline."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from agent.bench.corpus import Clip
from agent.bench.stt.play import Hearing, Shown
from agent.errors import UserError

_START_SECONDS = 120.0
_GRACE_SECONDS = 5.0
_MAX_LINE = 1 << 20


class BaselineProcess:
    """One process with one model; it plays one clip at a time."""

    def __init__(self, model: Path) -> None:
        """Args: model: Directory of the Whisper model, in CTranslate2 format."""
        self._model = model
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """Id of the running process."""
        return self._running.pid

    async def start(self) -> None:
        """Start it and wait until its model is loaded.

        Raises:
            UserError: It did not come up.
        """
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "agent.bench.stt.baseline",
            str(self._model),
            stdin=PIPE,
            stdout=PIPE,
            limit=_MAX_LINE,
            # Ctrl-C reaches only us; the end of its input ends it.
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._answer()
        except TimeoutError:
            raise UserError(
                f"The baseline did not start within {_START_SECONDS:.0f} s; "
                "stop what else this machine does."
            ) from None

    async def hear(self, clip: Clip, system: str) -> Hearing:
        """Play a clip to ``silero`` or ``native``, or decode it as the ``reference``.

        Raises:
            UserError: The process ended.
        """
        assert self._running.stdin
        request = {"path": str(clip.path), "language": clip.language, "system": system}
        self._running.stdin.write(json.dumps(request).encode() + b"\n")
        await self._running.stdin.drain()
        body = await self._answer()
        shown = [Shown(**entry) for entry in body.pop("shown")]
        return Hearing(shown=shown, **body)

    async def aclose(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        process.stdin.close()
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    @property
    def _running(self) -> Process:
        assert self._process is not None, "not started"
        return self._process

    async def _answer(self) -> dict[str, Any]:
        assert self._running.stdout
        line = await self._running.stdout.readline()
        if not line:
            raise UserError("The baseline's process ended; its last words are above.")
        body: dict[str, Any] = json.loads(line)
        return body
