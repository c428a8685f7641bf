"""Which of this machine's addresses others on the local network reach."""

import ipaddress
import socket

import psutil

from agent.errors import UserError

# An address for documentation (RFC 5737), which belongs to nobody; any but a local one would do.
_SOMEWHERE = ("192.0.2.1", 9)


def lan_address(host: str | None) -> str:
    """Return the IPv4 address to listen on.

    Args:
        host: LAN_HOST, a name or an address of this machine; None finds the address.

    Raises:
        UserError: It is not this machine's, or there is none, or there are several to choose from.
    """
    if host is None:
        return _found()
    address = _resolved(host)
    if ipaddress.ip_address(address).is_loopback:
        # Many systems resolve their own name so; others on the network do not.
        if _is_address(host):
            raise UserError(
                f"LAN_HOST is {host}, which only this machine reaches; "
                "set it to the machine's address on the local network, or empty it."
            )
        return _found()
    if address not in _interfaces():
        raise UserError(
            f"LAN_HOST is {host}, which is {'' if host == address else f'{address}, '}"
            "no address of this machine; correct or empty it."
        )
    return address


def _resolved(host: str) -> str:
    try:
        host.encode("ascii")  # certificates hold no other names
        infos = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UserError(
            f"LAN_HOST is {host!r}, a name without an IPv4 address; correct or empty it."
        ) from None
    return str(infos[0][4][0])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _found() -> str:
    """Return the address of the default route, else the only one that there is."""
    address = _default_route() or _only_one()
    if not ipaddress.ip_address(address).is_private:
        raise UserError(
            f"The address of this machine, {address}, can be reached from the internet; "
            "if that is what you want, say so with LAN_HOST."
        )
    return address


def _default_route() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)  # of a UDP socket: chooses a route and sends nothing
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def _only_one() -> str:
    addresses = [each for each in _interfaces() if not ipaddress.ip_address(each).is_loopback]
    if not addresses:
        raise UserError(
            "This machine has no address on a local network; connect it, or leave out --lan."
        )
    if len(addresses) > 1:
        raise UserError(
            f"This machine has several addresses ({', '.join(addresses)}); "
            "set LAN_HOST to the one that others reach."
        )
    return addresses[0]


def _interfaces() -> list[str]:
    """Return the IPv4 addresses of the interfaces that are up."""
    states = psutil.net_if_stats()
    return [
        entry.address
        for name, entries in psutil.net_if_addrs().items()
        if name in states and states[name].isup
        for entry in entries
        if entry.family == socket.AF_INET
    ]
