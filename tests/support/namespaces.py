"""Two machines on one local network, as network namespaces of this one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """One of the two.

    Attributes:
        namespace: Its name.
        addresses: Its IPv4 addresses on the network.
    """

    namespace: str
    addresses: tuple[str, ...]

    @property
    def prefix(self) -> tuple[str, ...]:
        """Program and arguments that run a command on it."""
        return ("ip", "netns", "exec", self.namespace)


@contextmanager
def two_machines() -> Iterator[tuple[Machine, Machine]]:
    """Make two machines, each with the addresses given here, and remove them afterwards."""
    assert os.geteuid() == 0, "network namespaces can be made by root alone; run this test as root"
    assert shutil.which("ip"), "`ip` is missing; install iproute2"
    one = Machine(f"eloquence-{os.getpid()}-a", ("10.231.7.1",))
    # Several, so that each test can be a client of its own.
    other = Machine(f"eloquence-{os.getpid()}-b", ("10.231.7.2", "10.231.7.3", "10.231.7.4"))
    try:
        for machine in (one, other):
            _ip("netns", "add", machine.namespace)
        peer = ("peer", "name", "lan0", "netns", other.namespace)
        _ip("-n", one.namespace, "link", "add", "lan0", "type", "veth", *peer)
        for machine in (one, other):
            for address in machine.addresses:
                _ip("-n", machine.namespace, "address", "add", f"{address}/24", "dev", "lan0")
            for device in ("lo", "lan0"):
                _ip("-n", machine.namespace, "link", "set", device, "up")
        yield one, other
    finally:
        for machine in (one, other):
            # Fails for one that could not be made; what went wrong is on its way up already.
            subprocess.run(["ip", "netns", "delete", machine.namespace], capture_output=True)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, (
        f"this machine makes no network namespaces: `ip {' '.join(arguments)}` says {done.stderr}"
    )
