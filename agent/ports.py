"""Finding out, before anything starts, that a port is taken."""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from agent.errors import UserError


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a process of ours is going to listen on.

    Attributes:
        setting: The environment variable that names it.
        number: The port itself.
        host: Address to listen on.
        udp: Whether it is a UDP port.
    """

    setting: str
    number: int
    host: str = "127.0.0.1"
    udp: bool = False


def check_ports(ports: Iterable[Port]) -> None:
    """Make sure that every port can be listened on now.

    Raises:
        UserError: One is taken, given twice, or may not be used; the sentence names its setting.
    """
    listed = list(ports)
    check_distinct(listed)
    for port in listed:
        _check(port)


def check_distinct(ports: Iterable[Port]) -> None:
    """Make sure that no port is given twice, whoever listens on it.

    Raises:
        UserError: One is; the sentence names both settings.
    """
    seen: dict[tuple[int, bool], Port] = {}
    for port in ports:
        twin = seen.setdefault((port.number, port.udp), port)
        if twin is not port:
            raise UserError(
                f"{twin.setting} and {port.setting} are both {port.number}; "
                "give each a port of its own."
            )


def _check(port: Port) -> None:
    kind = socket.SOCK_DGRAM if port.udp else socket.SOCK_STREAM
    try:
        family, *_, address = socket.getaddrinfo(port.host, port.number, type=kind)[0]
        with socket.socket(family, kind) as probe:
            if not port.udp:
                # Servers set it too: connections of the last run that linger are no obstacle.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserError(_sentence(port, error)) from None


def _sentence(port: Port, error: OSError) -> str:
    what = f"{'UDP port' if port.udp else 'Port'} {port.number} ({port.setting})"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{what} is already in use; stop the program that uses it "
            f"(another Eloquence?) or set {port.setting} to a free port."
        )
    reason = error.strerror or str(error)
    return f"{what} cannot be used on {port.host} ({reason}); set {port.setting} to another."


def spare_port(*, udp: bool = False) -> int:
    """Return a TCP or UDP port of loopback that nobody listens on now."""
    with socket.socket(type=socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
