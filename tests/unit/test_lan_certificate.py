"""Certificates that people supply: what will do, and what is said of the others."""

import ipaddress
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from agent.errors import UserError
from agent.lan.certificate import Certificate

pytestmark = pytest.mark.unit

DAY = timedelta(days=1)
NAMES = (x509.DNSName("voice.lan"), x509.IPAddress(ipaddress.ip_address("192.168.1.5")))


def supplied(
    folder: Path,
    *,
    start: timedelta = -DAY,
    end: timedelta = DAY,
    names: tuple[x509.GeneralName, ...] = NAMES,
    encryption: KeySerializationEncryption | None = None,
) -> Certificate:
    """Return a certificate as another authority would issue it."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "voice.lan")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody's CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    issued = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    folder.mkdir(exist_ok=True)
    cert, key_file = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(issued.public_bytes(Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    )
    return Certificate(cert, key_file)


@pytest.mark.parametrize("host", ["voice.lan", "192.168.1.5"])
def test_a_certificate_for_the_host_will_do(tmp_path: Path, host: str) -> None:
    supplied(tmp_path).check(host)


@pytest.mark.parametrize("host", ["192.168.1.6", "other.lan", "voice.lan.evil"])
def test_a_certificate_for_another_host_is_named_with_what_it_is_for(
    tmp_path: Path, host: str
) -> None:
    with pytest.raises(UserError, match=r"LAN_CERT .*LAN_HOST") as failure:
        supplied(tmp_path).check(host)
    assert f"is for voice.lan, 192.168.1.5, not for {host};" in str(failure.value)


def test_a_certificate_for_no_host_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"LAN_CERT .* is for no name at all, not for voice.lan"):
        supplied(tmp_path, names=()).check("voice.lan")


def test_an_expired_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^LAN_CERT .* has expired; .*LAN_KEY"):
        supplied(tmp_path, start=-2 * DAY, end=-DAY).check("voice.lan")


def test_a_certificate_of_the_future_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^LAN_CERT .* is not valid yet;"):
        supplied(tmp_path, start=DAY, end=2 * DAY).check("voice.lan")


def test_a_key_of_another_certificate_is_named(tmp_path: Path) -> None:
    one, other = supplied(tmp_path / "one"), supplied(tmp_path / "other")
    with pytest.raises(UserError, match=r"^LAN_KEY .*other.* is not the key of .*LAN_CERT .*one"):
        Certificate(one.cert, other.key).check("voice.lan")


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    given = supplied(tmp_path)
    given.cert.write_text("nonsense")
    with pytest.raises(UserError, match=r"^LAN_CERT .* and LAN_KEY .* PEM"):
        given.check("voice.lan")


def test_a_key_with_a_password_is_refused_without_asking_for_it(tmp_path: Path) -> None:
    given = supplied(tmp_path, encryption=BestAvailableEncryption(b"secret"))
    with pytest.raises(UserError, match="without a password"):
        given.check("voice.lan")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    given = supplied(tmp_path)
    with pytest.raises(UserError, match=r"^LAN_KEY names .*none\.pem, which cannot be read \(No "):
        Certificate(given.cert, tmp_path / "none.pem").check("voice.lan")
    with pytest.raises(UserError, match=r"^LAN_CERT names .*which cannot be read"):
        Certificate(tmp_path, given.key).check("voice.lan")


def test_the_command_says_it_in_one_line_before_anything_starts(tmp_path: Path) -> None:
    given = supplied(tmp_path, start=-2 * DAY, end=-DAY)
    env = {
        **os.environ,
        "ELOQUENCE_CACHE_DIR": str(tmp_path),
        "LAN_CERT": str(given.cert),
        "LAN_KEY": str(given.key),
    }
    done = subprocess.run(
        [sys.executable, "-m", "agent", "up", "--lan", "--no-browser"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("eloquence: LAN_CERT ")
    assert len(done.stderr.splitlines()) == 1
