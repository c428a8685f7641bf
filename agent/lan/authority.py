"""A certificate authority of this machine's own, for those who have no certificate.

Its key stays in the cache directory. As a device that trusts it would believe whoever stole that
key, it is limited (RFC 5280, 4.2.1.10) to addresses and names of local networks.
"""

import ipaddress
import re
import socket
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agent.errors import UserError
from agent.lan.certificate import Certificate
from agent.lan.issuing import Names, make_authority, make_leaf, permits
from agent.paths import private_dir

# What ends sooner than this is made anew.
_RENEWAL: Final = timedelta(days=30)
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def local_certificate(folder: Path, host: str, address: str) -> Certificate:
    """Return a certificate for this machine, made when there is none that will do.

    The authority outlives it, so that devices need to be told to trust it only once.

    Args:
        folder: Where both are kept; readable by the owner alone.
        host: Name or IPv4 address in the page's URL.
        address: IPv4 address of this machine.

    Raises:
        UserError: What is kept there is damaged, or nothing can be kept there.
    """
    try:
        return _kept(private_dir(folder), _names(host, address))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"No certificate can be kept in {folder} ({reason}); "
            "put that right, set ELOQUENCE_CACHE_DIR, or set LAN_CERT and LAN_KEY."
        ) from None


def fingerprint(path: Path) -> str:
    """Return the SHA-256 fingerprint of a certificate as devices show it: ``AB:CD:…``."""
    digest = x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def _kept(folder: Path, names: Names) -> Certificate:
    authority, public = folder / "authority.pem", folder / "authority.crt"
    issuer, key = _load(authority) if authority.exists() else (None, None)
    if issuer is None or key is None or _ends_soon(issuer) or not permits(issuer, names):
        issuer, key = make_authority(names)
        _store(authority, issuer, key)
    _write(public, issuer.public_bytes(Encoding.PEM))
    leaf = folder / "certificate.pem"
    if not (leaf.exists() and _will_do(_load(leaf)[0], issuer, names)):
        _store(leaf, *make_leaf(issuer, key, names))
    return Certificate(leaf, leaf, public)


def _names(host: str, address: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(address))]
    if host != address:
        names.append(x509.DNSName(host.lower()))
    label = socket.gethostname().partition(".")[0].lower()
    if _LABEL.fullmatch(label) and (name := x509.DNSName(f"{label}.local")) not in names:
        names.append(name)
    return names


def _will_do(leaf: x509.Certificate, issuer: x509.Certificate, names: Names) -> bool:
    listed = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    issued = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    by_issuer = issued.key_identifier == own.digest
    return by_issuer and not _ends_soon(leaf) and all(name in listed for name in names)


def _ends_soon(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - datetime.now(UTC) < _RENEWAL


def _load(path: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        pem = path.read_bytes()
        key = load_pem_private_key(pem, None)
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise UserError(f"{path} is damaged; delete it to have a new one made.")
    return certificate, key


def _store(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    """Write both into one file, so that they always belong together."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(path, pem + certificate.public_bytes(Encoding.PEM))


def _write(path: Path, content: bytes) -> None:
    """Replace the file as a whole; only its owner may read it."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".new-") as folder:
        draft = Path(folder, path.name)
        draft.touch(0o600)
        draft.write_bytes(content)
        draft.replace(path)
