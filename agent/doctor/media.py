"""Whether a caller's media can reach the LiveKit server: the addresses that it offers.

Clients open a WebSocket and are told where to send media as ICE candidates (RFC 8839), which must
be addresses that callers can reach. We look at them without taking part.
"""

import asyncio
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass

import aiohttp
import psutil
from livekit.protocol.rtc import JoinResponse, SignalResponse

from agent.doctor.finding import Finding, fail, ok, warn
from agent.doctor.livekit_server import server, token
from agent.livekit import VERSION
from agent.settings import Settings

_CANDIDATE = re.compile(
    r"candidate:\S+ \d+ (?P<protocol>udp|tcp) \d+ (?P<address>\S+) (?P<port>\d+) typ (?P<kind>\w+)",
    re.IGNORECASE,
)
# The oldest protocol in which the server begins by offering its candidates.
_PROTOCOL = "15"
_WAIT = 2.0
_CONNECT = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """Where media may be sent.

    Attributes:
        protocol: ``udp`` or ``tcp``.
        address: IP address, or a name.
        port: The port.
        kind: ``host``, ``srflx`` or ``relay``.
    """

    protocol: str
    address: str
    port: int
    kind: str

    def __str__(self) -> str:
        return f"{self.address}:{self.port}/{self.protocol}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can use it."""
        try:
            return ipaddress.ip_address(self.address).is_loopback
        except ValueError:
            return self.address == "localhost"


def parse_candidate(line: str) -> Candidate | None:
    """Read a candidate; None if it is none."""
    found = _CANDIDATE.search(line)
    if not found:
        return None
    return Candidate(
        found["protocol"].lower(), found["address"], int(found["port"]), found["kind"].lower()
    )


async def candidates_are_reachable(settings: Settings) -> Finding:
    """Judge the candidates that the server offers."""
    joined, offered = await _offered(settings)
    if not offered:
        return fail(
            "the server offers no address for media",
            "check rtc.node_ip, rtc.use_external_ip and rtc.ips in its configuration",
        )
    where = ", ".join(map(str, offered))
    own = _own_addresses()
    lost = [each for each in offered if not await _reaches(each, own)]
    if len(lost) == len(offered):
        return fail(
            f"media goes to {where}, which is neither this machine nor can it be reached from here",
            "correct rtc.node_ip in the server's configuration, or open that port in the firewall",
        )
    if lost:
        return warn(
            f"of the addresses for media ({where}), {', '.join(map(str, lost))} cannot be reached "
            "from here",
            "correct rtc.node_ip in the server's configuration, or open that port in the firewall",
        )
    found = joined.server_info.version
    if found and found != VERSION:
        return warn(
            f"media goes to {where}; the server has version {found}, tested is {VERSION}",
            "use that version if calls behave oddly",
        )
    if all(each.loopback for each in offered):
        return ok(f"media goes to {where}: callers on this machine alone (`--lan` lets phones in)")
    return ok(f"media goes to {where}")


async def _offered(settings: Settings) -> tuple[JoinResponse, list[Candidate]]:
    """Return how the server greets a client, and what it offers until it says that this is all."""
    livekit = server(settings)
    joined, offered = JoinResponse(), dict[Candidate, None]()
    params = {
        "access_token": token(livekit, f"doctor-{secrets.token_hex(6)}"),
        "protocol": _PROTOCOL,
        "auto_subscribe": "1",
        "sdk": "python",
    }
    try:
        async with (
            asyncio.timeout(_WAIT),
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{livekit.http}/rtc", params=params) as stream,
        ):
            async for frame in stream:
                if frame.type is not aiohttp.WSMsgType.BINARY:
                    continue
                response = SignalResponse.FromString(frame.data)
                kind = response.WhichOneof("message")
                if kind == "join":
                    joined = response.join
                elif kind == "offer":
                    offered |= _read(response.offer.sdp.splitlines())
                elif kind == "trickle":
                    offered |= _read([response.trickle.candidateInit])
                    if response.trickle.final:
                        break
    except TimeoutError:
        pass  # a server that gathers for long has said what it has so far
    return joined, list(offered)


def _read(lines: list[str]) -> dict[Candidate, None]:
    return dict.fromkeys(each for line in lines if (each := parse_candidate(line)))


def _own_addresses() -> frozenset[str]:
    return frozenset(
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    )


async def _reaches(candidate: Candidate, own: frozenset[str]) -> bool:
    """Tell whether media could get there; of UDP elsewhere only whether there is a way at all."""
    if candidate.address in own or candidate.loopback:
        return True
    if candidate.protocol == "udp":
        return _has_route(candidate)
    try:
        async with asyncio.timeout(_CONNECT):
            _, writer = await asyncio.open_connection(candidate.address, candidate.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _has_route(candidate: Candidate) -> bool:
    family = socket.AF_INET6 if ":" in candidate.address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((candidate.address, candidate.port))
    except OSError:
        return False
    return True
