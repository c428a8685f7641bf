"""The certificate of the page, and whether it will do, found out before anything starts."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import UserError

# By the number that OpenSSL's x509_vfy.h gives them.
_PROBLEMS: Final = {9: "is not valid yet", 10: "has expired"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key.

    Attributes:
        cert: The certificate, PEM, with the intermediate ones after it.
        key: Its private key, PEM.
        authority: Certificate of the authority that issued it, when that is our own.
    """

    cert: Path
    key: Path
    authority: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return the TLS configuration of a server with this certificate.

        Raises:
            UserError: A file cannot be read, or they do not belong together.
        """
        for name, path in (("LAN_CERT", self.cert), ("LAN_KEY", self.key)):
            _check_readable(name, path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # An empty password, because OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.cert, self.key, password="")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise UserError(
                    f"LAN_KEY {self.key} is not the key of the certificate LAN_CERT {self.cert}; "
                    "name the two that belong together."
                ) from None
            raise UserError(
                f"LAN_CERT {self.cert} and LAN_KEY {self.key} must be a certificate and its "
                "private key without a password, both as PEM; "
                f"OpenSSL says {error.reason or 'no more'}."
            ) from None
        return context

    def check(self, host: str) -> None:
        """Make sure that a browser which trusts the issuer will accept it for ``host``.

        Args:
            host: Name or IPv4 address in the page's URL.

        Raises:
            UserError: It will not; the sentence names LAN_CERT, LAN_KEY or LAN_HOST.
        """
        server = self.context()
        names = self._names(server)
        try:
            handshake(server, _client_context(self.cert), host)
        except ssl.SSLCertVerificationError:
            raise UserError(
                f"LAN_CERT {self.cert} is for {', '.join(names) or 'no name at all'}, not for "
                f"{host}; set LAN_HOST to a name in it that leads to this machine, or take "
                "another certificate."
            ) from None

    def _names(self, server: ssl.SSLContext) -> list[str]:
        """Return the names that it is for, provided that it is valid now."""
        client = _client_context(self.cert)
        client.check_hostname = False
        try:
            peer = handshake(server, client, None).getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            problem = _PROBLEMS.get(error.verify_code, f"is not accepted ({error.verify_message})")
            raise UserError(
                f"LAN_CERT {self.cert} {problem}; take another, or empty LAN_CERT and LAN_KEY to "
                "have one made."
            ) from None
        return [str(entry[1]) for entry in peer.get("subjectAltName", ())]


def _check_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{name} names {path}, which cannot be read ({reason}).") from None


def _client_context(cert: Path) -> ssl.SSLContext:
    """Return that of a browser which trusts the certificate itself, whoever issued it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False  # which browsers ignore
    context.load_verify_locations(cert)
    return context


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None) -> ssl.SSLObject:
    """Let the two shake hands in memory and return the client's side.

    Args:
        server: Configuration of the side that shows a certificate.
        client: Configuration of the side that checks it.
        host: Whom the client believes to talk to; None when it does not check that.

    Raises:
        ssl.SSLCertVerificationError: The client does not accept the certificate.
    """
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=host)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    while True:
        try:
            asking.do_handshake()
        except ssl.SSLWantReadError:
            try:
                answering.do_handshake()
            except ssl.SSLWantReadError:
                continue
        else:
            return asking
