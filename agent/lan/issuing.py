"""Issuing certificates: those of an authority, and those that it vouches for."""

import ipaddress
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_LIFETIME: Final = timedelta(days=3650)
# Browsers refuse certificates that are valid for longer than 398 days.
_LEAF_LIFETIME: Final = timedelta(days=397)
# Clocks of phones differ.
_SKEW: Final = timedelta(days=1)
_LOCAL_DOMAINS: Final = ("local", "lan", "internal", "home.arpa")
_LOCAL_NETWORKS: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")

Names = Sequence[x509.GeneralName]


def make_authority(
    names: Names,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make an authority that may vouch for local networks and for ``names``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Eloquence on {socket.gethostname()}"[:64])]
    )
    permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in _LOCAL_DOMAINS]
    permitted += [x509.IPAddress(ipaddress.ip_network(network)) for network in _LOCAL_NETWORKS]
    permitted += [_subtree(name) for name in names if not _in_one_of(name, permitted)]
    certificate = (
        _builder(subject, subject, key, _AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def make_leaf(
    issuer: x509.Certificate, issuer_key: ec.EllipticCurvePrivateKey, names: Names
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a server's certificate for ``names``."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Eloquence")])
    authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    certificate = (
        _builder(subject, issuer.subject, key, _LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(authority_id, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now - _SKEW + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def permits(authority: x509.Certificate, names: Names) -> bool:
    """Return whether an authority may vouch for all ``names``."""
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = list(limits.permitted_subtrees or ())
    return all(_in_one_of(name, permitted) for name in names)


def _in_one_of(name: x509.GeneralName, subtrees: Names) -> bool:
    if isinstance(name, x509.DNSName):
        domains = [each.value for each in subtrees if isinstance(each, x509.DNSName)]
        return any(f".{name.value}".endswith(f".{domain}") for domain in domains)
    networks = [each.value for each in subtrees if isinstance(each, x509.IPAddress)]
    return any(
        name.value in network for network in networks if isinstance(network, ipaddress.IPv4Network)
    )


def _subtree(name: x509.GeneralName) -> x509.GeneralName:
    """Return the subtree that holds just this name."""
    if isinstance(name, x509.IPAddress):
        return x509.IPAddress(ipaddress.ip_network(str(name.value)))
    return name
