"""A LiveKit server for tests that need no agent."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.livekit.binary import server_command
from agent.livekit.config import LOOPBACK, loopback_config
from agent.livekit.keys import ApiKeys, server_keys
from agent.settings import Settings
from tests.support.ports import free_port


@dataclass(frozen=True)
class RunningLiveKit:
    """Where a server listens and what it accepts."""

    url: str
    api_key: str
    api_secret: str


@contextmanager
def run_livekit(settings: Settings, folder: Path, **rtc: object) -> Iterator[RunningLiveKit]:
    """Start a server on free ports of loopback; its log goes to ``folder``.

    Args:
        settings: The settings.
        folder: A directory.
        rtc: Values of the section of this name that differ from ours.
    """
    port = free_port()
    settings = settings.model_copy(
        update={"livekit_port": port, "livekit_udp_port": free_port(socket.SOCK_DGRAM)}
    )
    keys: ApiKeys = server_keys(settings)
    command = asyncio.run(server_command(settings, print))
    config = json.loads(loopback_config(settings, keys))
    config["rtc"] |= rtc
    log = folder / "livekit.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            # The server takes every LIVEKIT_* variable for a flag.
            env={"PATH": os.environ["PATH"], "LIVEKIT_CONFIG": json.dumps(config)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(f"http://{LOOPBACK}:{port}/", log)
        yield RunningLiveKit(f"ws://{LOOPBACK}:{port}", keys.key, keys.secret)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the LiveKit server did not start:\n{log.read_text()}")
