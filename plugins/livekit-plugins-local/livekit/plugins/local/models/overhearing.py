"""How who waits for another process hears how far that one is: by datagrams on this machine.

Whoever waits has a socket, and leaves its address in a directory; whoever has something to say
sends it to each address that is there. Nobody asks, and nobody needs to know of the others.
"""

import asyncio
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_BYTES = 1024


@contextmanager
def overhearing(registry: Path, hear: Callable[[bytes], None]) -> Iterator[None]:
    """Hear what is told at a place, on the running event loop, while a block runs.

    Args:
        registry: The directory of those who listen; created when missing.
        hear: Told each message.
    """
    loop = asyncio.get_running_loop()
    registry.mkdir(parents=True, exist_ok=True)
    entry = registry / secrets.token_hex(8)
    # Not in the registry itself: the path of a socket must be short.
    with (
        tempfile.TemporaryDirectory(prefix="eloquence-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear,
    ):
        ear.setblocking(False)
        ear.bind(f"{folder}/ear")
        entry.write_text(f"{folder}/ear")
        loop.add_reader(ear, lambda: hear(ear.recv(MOST_BYTES)))
        try:
            yield
        finally:
            loop.remove_reader(ear)
            entry.unlink(missing_ok=True)


def tell(registry: Path, message: bytes) -> None:
    """Tell something to all who listen at a place; who has gone is forgotten.

    Args:
        registry: See `overhearing`.
        message: At most `MOST_BYTES` of it arrive.
    """
    entries = list(registry.glob("*"))
    if not entries:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mouth:
        mouth.setblocking(False)
        for entry in entries:
            try:
                mouth.sendto(message[:MOST_BYTES], entry.read_text())
            except BlockingIOError:
                continue  # it is busy, and will hear the next one
            except OSError:
                entry.unlink(missing_ok=True)
