"""Writes down the TCP and UDP packets of an interface: ``python -m tests.support.sniffer IF FILE``.

It prints a line when it listens. Linux only, and only for root.
"""

import ipaddress
import json
import socket
import sys
from pathlib import Path
from typing import Any

_ANY_PROTOCOL = 0x0003
_NAMES = {6: "tcp", 17: "udp"}
_DNS = 53


def describe(frame: bytes) -> dict[str, Any] | None:
    """Return protocol, destination and port of an Ethernet frame; None if it is neither.

    Neighbour discovery and group membership are the kernel's own and none of our business.
    """
    kind, packet = int.from_bytes(frame[12:14], "big"), frame[14:]
    if kind == 0x0800:
        protocol, target, payload = packet[9], packet[16:20], packet[(packet[0] & 15) * 4 :]
    elif kind == 0x86DD:
        protocol, target, payload = packet[6], packet[24:40], packet[40:]
    else:
        return None
    if protocol not in _NAMES:
        return None
    port = int.from_bytes(payload[2:4], "big")
    seen = {"protocol": _NAMES[protocol], "to": str(ipaddress.ip_address(target)), "port": port}
    if seen["protocol"] == "udp" and port == _DNS:
        seen["asks for"] = _question(payload[8 + 12 :])
    return seen


def _question(dns: bytes) -> str:
    labels: list[str] = []
    while dns and dns[0]:
        labels.append(dns[1 : 1 + dns[0]].decode(errors="replace"))
        dns = dns[1 + dns[0] :]
    return ".".join(labels)


def main(interface: str, file: Path) -> None:
    """Listen until killed."""
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ANY_PROTOCOL)) as ear,
        file.open("w", buffering=1) as output,
    ):
        ear.bind((interface, 0))
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        while True:
            if seen := describe(ear.recv(65_535)):
                output.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
