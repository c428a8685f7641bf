"""Who asks: somebody on this machine, or somebody else."""

import ipaddress
from typing import Final

from aiohttp import hdrs, web

# A proxy on this machine adds them, and then speaks for somebody elsewhere.
_ADDED: Final = (hdrs.X_FORWARDED_FOR, hdrs.FORWARDED, hdrs.VIA, "X-Real-IP")


def comes_from_outside(request: web.Request) -> bool:
    """Whether a request may come from another machine."""
    if any(name in request.headers for name in _ADDED):
        return True
    try:
        return not ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return True
