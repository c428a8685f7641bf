"""What `eloquence up --lan` opens to the local network."""

from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from agent.errors import UserError
from agent.lan.access_code import new_code
from agent.lan.address import lan_address
from agent.lan.authority import local_certificate
from agent.lan.certificate import Certificate
from agent.settings import Settings

AUTHORITY_PATH: Final = "/ca.crt"
"""Where the page's server hands out the certificate of our own authority."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where callers on the local network come in, and what they have to show.

    Attributes:
        host: Name or address of this machine in the page's URL.
        address: The IPv4 address on which the page and the media are served.
        port: Of the page, HTTPS.
        certificate: What the page is served with; it is valid for ``host``.
        code: The access code.
    """

    host: str
    address: str
    port: int
    certificate: Certificate
    code: str = field(repr=False)

    @property
    def url(self) -> URL:
        """The page."""
        return URL.build(scheme="https", host=self.host, port=self.port)

    @property
    def invitation(self) -> URL:
        """The page with the code, in the part of the URL that browsers never send."""
        return self.url.with_fragment(f"code={self.code}")

    @property
    def signalling_url(self) -> URL:
        """LiveKit's signalling, as clients reach it through the page's server."""
        return URL.build(scheme="wss", host=self.host, port=self.port)

    def env(self) -> dict[str, str]:
        """Return the settings with which another process finds the same door."""
        return {"LAN_HOST": self.host, "LAN_ACCESS_CODE": self.code}


def find_door(settings: Settings) -> Door:
    """Find the address, find or make the certificate and the code.

    Raises:
        UserError: One of them is not to be had; the sentence names its setting.
    """
    address = lan_address(settings.lan_host)
    host = settings.lan_host or address
    if settings.lan_cert and settings.lan_key:
        certificate = Certificate(settings.lan_cert.expanduser(), settings.lan_key.expanduser())
    elif settings.lan_cert or settings.lan_key:
        given, lacking = ("CERT", "KEY") if settings.lan_cert else ("KEY", "CERT")
        raise UserError(f"LAN_{given} is set but LAN_{lacking} is not; set both, or neither.")
    else:
        certificate = local_certificate(settings.cache_dir / "lan", host, address)
    certificate.check(host)
    code = settings.lan_access_code
    return Door(
        host,
        address,
        settings.lan_port,
        certificate,
        code.get_secret_value() if code else new_code(),
    )
