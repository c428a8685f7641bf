"""What `eloquence up --lan` tells the person in front of it."""

import io

import segno

from agent.lan.authority import fingerprint
from agent.lan.door import AUTHORITY_PATH, Door
from agent.settings import Settings


def notice(settings: Settings, door: Door) -> list[str]:
    """Return the lines that say where others come in, with what, and what listens."""
    lines = [
        "On the local network:",
        f"  page         {door.url}",
        f"  access code  {door.code}",
        f"  both in one  {door.invitation}",
    ]
    if door.certificate.authority is not None:
        lines += [
            "Devices must be told once to trust this machine's certificate authority:",
            f"  fetch        {door.url.with_path(AUTHORITY_PATH)}",
            f"  fingerprint  {fingerprint(door.certificate.authority)}",
            "  docs/lan.md says how, for each kind of device.",
        ]
    lines += ["Listening beyond this machine:", f"  {door.address}:{door.port} TCP: page and token"]
    if settings.livekit_url is None:
        lines.append(f"  {door.address}:{settings.livekit_udp_port} UDP: the voices, encrypted")
    return lines


def qr_code(door: Door) -> list[str]:
    """Return the invitation as a picture for a phone's camera, made of block characters."""
    picture = io.StringIO()
    segno.make(str(door.invitation), error="l").terminal(picture, border=2, compact=True)
    return picture.getvalue().splitlines()
