"""How the server runs on a developer's machine."""

import json

from agent.livekit.keys import ApiKeys
from agent.settings import Settings

LOOPBACK = "127.0.0.1"


def loopback_config(settings: Settings, keys: ApiKeys) -> str:
    """Return a configuration that stays on this machine, as YAML (which JSON is a part of).

    Nothing listens off 127.0.0.1 and no outside STUN server is asked or advertised. The text holds
    the secret: pass it in ``LIVEKIT_CONFIG``, never on a command line.
    """
    return _config(settings, keys, media=LOOPBACK)


def lan_config(settings: Settings, keys: ApiKeys, address: str) -> str:
    """Return the same configuration with the media, and nothing else, on the local network.

    Args:
        settings: The settings.
        keys: The server's keys.
        address: IPv4 address of this machine; media is served and advertised there alone.
    """
    return _config(settings, keys, media=address)


def _config(settings: Settings, keys: ApiKeys, *, media: str) -> str:
    config = {
        "port": settings.livekit_port,
        "bind_addresses": [LOOPBACK],
        "rtc": {
            "tcp_port": 0,  # its listener would bind every interface
            "udp_port": settings.livekit_udp_port,
            "use_external_ip": False,
            "node_ip": media,
            "enable_loopback_candidate": media == LOOPBACK,
            "ips": {"includes": [f"{media}/32"]},
            # Takes the place of the public servers that clients are told otherwise; nobody answers.
            "stun_servers": [f"{LOOPBACK}:3478"],
        },
        "keys": {keys.key: keys.secret},
        "room": {"auto_create": True, "empty_timeout": 30, "departure_timeout": 5},
        "logging": {"level": "info" if settings.log_level == "DEBUG" else "error"},
    }
    return json.dumps(config)
