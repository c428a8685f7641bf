"""Nothing leaves the machine: a call in a network where every packet that leaves is seen."""

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.calls import write_wav
from tests.support.stack import launch

pytestmark = pytest.mark.e2e


@dataclass
class Cage:
    """A network namespace whose only way out leads nowhere."""

    name: str
    folder: Path

    @property
    def prefix(self) -> list[str]:
        """What to put before a command that is to run inside."""
        return ["ip", "netns", "exec", self.name]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run Python inside and return what it printed."""
        command = [*self.prefix, sys.executable, *arguments]
        return subprocess.run(command, text=True, capture_output=True, timeout=120)

    @contextmanager
    def watched(self) -> Iterator[list[dict[str, Any]]]:
        """Fill a list with the packets that leave while the block runs."""
        seen: list[dict[str, Any]] = []
        file = self.folder / f"packets-{secrets.token_hex(3)}"
        sniffer = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "tests.support.sniffer", "out", str(file)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert sniffer.stdout
        with sniffer.stdout:
            assert sniffer.stdout.readline() == "listening\n"
            try:
                yield seen
            finally:
                sniffer.terminate()
                sniffer.wait()
        seen += [json.loads(line) for line in file.read_text().splitlines()]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def cage(tmp_path: Path) -> Iterator[Cage]:
    name = f"cage-{secrets.token_hex(3)}"
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "add", "out", "type", "veth", "peer", "name", "beyond")
        ip("-n", name, "addr", "add", "192.0.2.1/24", "dev", "out")
        ip("-n", name, "link", "set", "out", "up")
        ip("-n", name, "link", "set", "beyond", "up")
        ip("-n", name, "route", "add", "default", "via", "192.0.2.254")
        # Nobody there answers who has this address, so it is entered by hand.
        ip("-n", name, "neigh", "add", "192.0.2.254", "lladdr", "02:00:00:00:00:01", "dev", "out")
        yield Cage(name, tmp_path)
    finally:
        ip("netns", "del", name)


def test_a_packet_that_leaves_is_seen(cage: Cage) -> None:
    """The test below would pass for nothing if this were not so."""
    with cage.watched() as packets:
        cage.run(
            "-c",
            "import socket\n"
            "s = socket.socket(); s.settimeout(0.2)\n"
            "try: s.connect(('198.51.100.7', 443))\n"
            "except TimeoutError: pass",
        )
    assert {"protocol": "tcp", "to": "198.51.100.7", "port": 443} in packets


def test_starting_and_a_whole_call_send_nothing_out(
    cage: Cage, say: Callable[[str, str], np.ndarray]
) -> None:
    question = write_wav(cage.folder / "question.wav", say("What is the capital of France?", "en"))
    with cage.watched() as packets:
        stack = launch(cage.folder, prefix=cage.prefix)
        try:
            page = stack.ready()
            done = cage.run(
                *("-m", "agent", "call", "--wav", str(question), "--token-url", f"{page}/token")
            )
        finally:
            stack.stop()
    assert "Paris" in done.stdout, done.stderr + stack.output
    assert packets == []
