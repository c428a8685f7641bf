"""Ports for servers under test."""

import os
import random
import socket

# Below the range from which outgoing connections take theirs; each process has a part of it.
_LOWEST, _SHARE, _SHARES = 20_000, 3_000, 4
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _SHARES
_RANGE = range(_LOWEST + _WORKER * _SHARE, _LOWEST + (_WORKER + 1) * _SHARE)
# What was given away, and may not be listened on yet.
_given: set[int] = set()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port on loopback that nobody listens on now, and that nobody was given before."""
    while True:
        port = random.choice(_RANGE)
        if port in _given and len(_given) < _SHARE // 2:
            continue
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
