import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from agent.errors import UserError
from agent.lan import authority, issuing
from agent.lan.authority import fingerprint, local_certificate
from agent.lan.certificate import Certificate, handshake

pytestmark = pytest.mark.unit

ADDRESS = "192.168.7.5"


def accepts(trusted: Path, certificate: Certificate, host: str) -> bool:
    """Whether a strict client that trusts only one authority takes the server for ``host``."""
    client = ssl.create_default_context(cafile=str(trusted))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        handshake(certificate.context(), client, host)
    except ssl.SSLCertVerificationError:
        return False
    return True


def test_who_trusts_the_authority_accepts_the_machine(tmp_path: Path) -> None:
    made = local_certificate(tmp_path, ADDRESS, ADDRESS)
    assert made.authority
    assert accepts(made.authority, made, ADDRESS)
    assert not accepts(made.authority, made, "192.168.7.6")


def test_a_name_is_valid_beside_the_address(tmp_path: Path) -> None:
    made = local_certificate(tmp_path, "Voice.LAN", ADDRESS)
    assert made.authority
    assert accepts(made.authority, made, ADDRESS)
    assert accepts(made.authority, made, "voice.lan")
    made.check("Voice.LAN")


def test_it_is_made_once(tmp_path: Path) -> None:
    first = local_certificate(tmp_path, ADDRESS, ADDRESS).cert.read_bytes()
    assert local_certificate(tmp_path, ADDRESS, ADDRESS).cert.read_bytes() == first


def test_another_address_needs_no_new_trust(tmp_path: Path) -> None:
    before = local_certificate(tmp_path, ADDRESS, ADDRESS)
    assert before.authority
    trusted = tmp_path / "installed.crt"
    trusted.write_bytes(before.authority.read_bytes())
    after = local_certificate(tmp_path, "10.1.2.3", "10.1.2.3")
    assert accepts(trusted, after, "10.1.2.3")
    assert not accepts(trusted, after, ADDRESS)


def test_one_that_ends_soon_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(issuing, "_LEAF_LIFETIME", timedelta(days=20))
        old = local_certificate(tmp_path, ADDRESS, ADDRESS)
        before = old.cert.read_bytes()
    made = local_certificate(tmp_path, ADDRESS, ADDRESS)
    assert made.cert.read_bytes() != before
    assert made.authority
    assert accepts(made.authority, made, ADDRESS)


def test_the_authority_cannot_vouch_for_the_rest_of_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host, address in (("bank.example", ADDRESS), ("8.8.8.8", "8.8.8.8")):
        folder = tmp_path / host
        local_certificate(folder, ADDRESS, ADDRESS)
        with monkeypatch.context() as patch:
            patch.setattr(authority, "permits", lambda *_: True)
            forged = local_certificate(folder, host, address)
        assert forged.authority
        assert not accepts(forged.authority, forged, host)


def test_an_authority_is_made_for_a_host_that_the_old_one_may_not_vouch_for(
    tmp_path: Path,
) -> None:
    old = local_certificate(tmp_path, ADDRESS, ADDRESS)
    assert old.authority
    before = old.authority.read_bytes()
    made = local_certificate(tmp_path, "voice.example.org", "8.8.8.8")
    assert made.authority
    assert made.authority.read_bytes() != before
    assert accepts(made.authority, made, "voice.example.org")
    assert accepts(made.authority, made, "8.8.8.8")


def test_only_the_owner_may_read_the_keys(tmp_path: Path) -> None:
    local_certificate(tmp_path / "lan", ADDRESS, ADDRESS)
    assert stat.S_IMODE((tmp_path / "lan").stat().st_mode) == 0o700
    for path in (tmp_path / "lan").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["authority.pem", "certificate.pem"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    local_certificate(tmp_path, ADDRESS, ADDRESS)
    (tmp_path / name).write_text("nonsense")
    with pytest.raises(UserError, match=f"{name} is damaged; delete it"):
        local_certificate(tmp_path, ADDRESS, ADDRESS)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/lan \(Not a directory\); .*ELOQUENCE_CACHE_DIR"):
        local_certificate(tmp_path / "file" / "lan", ADDRESS, ADDRESS)


def test_the_fingerprint_is_written_as_devices_show_it(tmp_path: Path) -> None:
    made = local_certificate(tmp_path, ADDRESS, ADDRESS)
    assert made.authority
    parts = fingerprint(made.authority).split(":")
    assert len(parts) == 32
    assert all(len(part) == 2 and part == part.upper() for part in parts)
