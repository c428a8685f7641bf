"""Ports for servers under test."""

import random
import socket

# Below the range from which outgoing connections take theirs.
_RANGE = range(20_000, 32_000)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port on loopback that nobody listens on now."""
    while True:
        port = random.choice(_RANGE)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
