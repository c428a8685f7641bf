"""A whole Eloquence, started the way a user starts it."""

import asyncio
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.caller.access import SigningKey
from agent.livekit.keys import server_keys
from agent.readiness_feed import first, told_by
from agent.settings import load
from tests.support.ports import free_port

# Loading the models takes seconds; a first run also fetches them.
_START_SECONDS = 240.0
_STOP_SECONDS = 15.0
READY_LINE = "Eloquence is ready: "


@dataclass
class Stack:
    """A running ``eloquence up``.

    Attributes:
        env: The environment it was started with; its processes' settings follow from it.
        process: The supervisor.
        lines: What it has printed so far.
        page_url: Address of the page.
    """

    env: dict[str, str]
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    page_url: str = ""
    _queue: "queue.Queue[str | None]" = field(default_factory=queue.Queue)

    @property
    def worker_env(self) -> dict[str, str]:
        """What one more worker for this stack needs in its environment."""
        keys = server_keys(load())
        return {
            **self.env,
            "LIVEKIT_URL": f"ws://127.0.0.1:{self.env['LIVEKIT_PORT']}",
            "LIVEKIT_API_KEY": keys.key,
            "LIVEKIT_API_SECRET": keys.secret,
        }

    def signing_key(self, agent_name: str) -> SigningKey:
        """A way into a call with another agent than the one that the page asks for."""
        env = self.worker_env
        return SigningKey(
            env["LIVEKIT_URL"],
            env["LIVEKIT_API_KEY"],
            env["LIVEKIT_API_SECRET"],
            agent_name=agent_name,
        )

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.lines)

    def wait_for(self, text: str, seconds: float = _START_SECONDS) -> str:
        """Return the first line, from now on or earlier, that contains ``text``."""
        for line in self.lines:
            if text in line:
                return line
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                printed = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if printed is None:
                break
            if text in printed:
                return printed
        raise AssertionError(f"{text!r} was not printed within {seconds} s:\n{self.output}")

    def ready(self) -> str:
        """Wait until a call can be placed and every voice is there; return the page's address."""
        self.page_url = self.wait_for(READY_LINE).split(READY_LINE)[1].strip()

        async def settled() -> None:
            async with asyncio.timeout(_START_SECONDS):
                await first(
                    told_by(self.env["ENGINE_URL"]), lambda each: bool(each and each.settled)
                )

        asyncio.run(settled())
        return self.page_url

    def stop(self) -> int:
        """Press Ctrl-C and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"`eloquence up` did not stop:\n{self.output}") from None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._queue.put(self.lines[-1])
        self._queue.put(None)


def stack_environment(folder: Path, **overrides: str) -> dict[str, str]:
    """Return an environment in which nothing collides with another Eloquence."""
    env = {
        **os.environ,
        "ENGINE_URL": f"unix:{folder}/engine.sock",
        "LIVEKIT_PORT": str(free_port()),
        "LIVEKIT_UDP_PORT": str(free_port(socket.SOCK_DGRAM)),
        "LLM_PORT": str(free_port()),
        "WORKER_PORT": str(free_port()),
        "WEB_PORT": str(free_port()),
    }
    env.update(overrides)
    return env


def launch(
    folder: Path,
    *,
    prefix: Sequence[str] = (),
    command: str = "up",
    options: Sequence[str] = (),
    cwd: Path | str | None = None,
    **overrides: str,
) -> Stack:
    """Start ``eloquence up`` and return at once.

    Args:
        folder: Where its socket goes.
        prefix: Program and arguments that run it, such as ``ip netns exec NAME``.
        command: Another command that starts everything.
        options: Further options of it.
        cwd: Where to run it, with the source that lies there.
        overrides: Environment variables.
    """
    env = stack_environment(folder, **overrides)
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "agent", command, "--no-browser", *options],
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    stack = Stack(env, process)
    threading.Thread(target=stack._read, daemon=True).start()
    return stack


@contextmanager
def run_stack(folder: Path) -> Iterator[Stack]:
    """Start everything, wait until a call can be placed, and stop everything afterwards."""
    stack = launch(folder)
    try:
        stack.ready()
        yield stack
    finally:
        stack.stop()
