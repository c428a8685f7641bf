"""A moshi-server, fake or real, whose models speak and hear in tones, as a server for the kit."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conformance.engine_server import EngineServer


@contextmanager
def fake_moshi_server() -> Iterator[EngineServer]:
    """Start the fake; it ends with the block."""
    with _running() as server:
        yield server


@contextmanager
def real_moshi_voice() -> Iterator[EngineServer]:
    """Start the server that ``MOSHI_SERVER_BIN`` names, with a voice; it ends with the block."""
    with _running("--real", os.environ["MOSHI_SERVER_BIN"]) as server:
        yield server


@contextmanager
def real_moshi_ear() -> Iterator[EngineServer]:
    """Start the server that ``MOSHI_SERVER_BIN`` names, with an ear; it ends with the block."""
    with _running("--ear", "--real", os.environ["MOSHI_SERVER_BIN"]) as server:
        yield server


@contextmanager
def _running(*arguments: str) -> Iterator[EngineServer]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.moshi_server", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C in the terminal is for the kit, which then ends the server.
        start_new_session=True,
    )
    assert process.stdout and process.stdin
    try:
        yield EngineServer(**json.loads(process.stdout.readline()))
    finally:
        # The end of its input ends it, even if this process is killed.
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
