"""How the services of `eloquence up` change when the local network may come in."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from agent.lan.door import Door
from agent.livekit.config import lan_config
from agent.livekit.keys import server_keys
from agent.ports import Port
from agent.settings import Settings
from agent.up.plan import Service


def open_services(services: Iterable[Service], settings: Settings, door: Door) -> list[Service]:
    """Let the page and the media be reached through the door; all else stays as it is."""
    return [_opened(service, settings, door) for service in services]


def _opened(service: Service, settings: Settings, door: Door) -> Service:
    if service.name == "web":
        remedy = f"{service.remedy}, LAN_PORT, LAN_CERT and LAN_KEY"
        argv = (*service.argv, "--lan")
        return replace(service, argv=argv, env={**service.env, **door.env()}, remedy=remedy)
    if service.name == "livekit" and service.argv:
        config = lan_config(settings, server_keys(settings), door.address)
        return replace(service, env={**service.env, "LIVEKIT_CONFIG": config})
    return service


def open_ports(ports: Sequence[Port], door: Door) -> list[Port]:
    """Return the ports on which the services will listen then."""
    moved = [replace(port, host=door.address) if port.udp else port for port in ports]
    return [*moved, Port("LAN_PORT", door.port, door.address)]
