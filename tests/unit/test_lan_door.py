from pathlib import Path

import pytest

from agent.errors import UserError
from agent.lan import door
from agent.lan.door import Door, find_door
from agent.lan.notice import notice, qr_code
from agent.settings import Settings, load

pytestmark = pytest.mark.unit

ADDRESS = "192.168.7.5"
CODE = "k7mq-2xwp-h4rd"


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on a network of its own, with a cache of its own."""
    monkeypatch.setattr(door, "lan_address", lambda host: ADDRESS)
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path))
    for name in ("LIVEKIT_URL", "LAN_HOST", "LAN_CERT", "LAN_KEY", "LAN_ACCESS_CODE"):
        monkeypatch.delenv(name, raising=False)


def read(tmp_path: Path) -> Settings:
    return load(tmp_path / "no.env")


def test_everything_is_found_or_made(tmp_path: Path) -> None:
    found = find_door(read(tmp_path))
    assert str(found.url) == f"https://{ADDRESS}:8443"
    assert str(found.signalling_url) == f"wss://{ADDRESS}:8443"
    assert found.certificate.authority == tmp_path / "lan" / "authority.crt"
    assert find_door(read(tmp_path)).code != found.code


def test_the_code_is_neither_shown_by_accident_nor_sent_with_the_page(tmp_path: Path) -> None:
    found = find_door(read(tmp_path))
    assert found.code not in repr(found)
    assert found.invitation.fragment == f"code={found.code}"
    assert found.code not in str(found.invitation.with_fragment(None))


def test_another_process_finds_the_same_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_door(read(tmp_path))
    for name, value in found.env().items():
        monkeypatch.setenv(name, value)
    assert find_door(read(tmp_path)) == found


def test_a_name_leads_to_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAN_HOST", "voice.lan")
    monkeypatch.setenv("LAN_PORT", "9443")
    found = find_door(read(tmp_path))
    assert str(found.url) == "https://voice.lan:9443"
    assert found.address == ADDRESS


@pytest.mark.parametrize(("given", "lacking"), [("LAN_CERT", "LAN_KEY"), ("LAN_KEY", "LAN_CERT")])
def test_half_a_certificate_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, lacking: str
) -> None:
    monkeypatch.setenv(given, str(tmp_path / "file.pem"))
    with pytest.raises(UserError, match=f"^{given} is set but {lacking} is not"):
        find_door(read(tmp_path))


def supplied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    """Return a door with a certificate that somebody else made."""
    made = find_door(read(tmp_path)).certificate
    monkeypatch.setenv("LAN_CERT", str(made.cert))
    monkeypatch.setenv("LAN_KEY", str(made.key))
    return find_door(read(tmp_path))


def test_a_supplied_certificate_must_be_for_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supplied(tmp_path, monkeypatch).certificate.authority is None
    monkeypatch.setenv("LAN_HOST", "other.lan")
    with pytest.raises(UserError, match=r"not for other\.lan; set LAN_HOST"):
        find_door(read(tmp_path))


def test_the_person_is_told_where_others_come_in_and_what_listens(tmp_path: Path) -> None:
    settings = read(tmp_path)
    found = find_door(settings)
    text = "\n".join(notice(settings, found))
    for part in (str(found.url), found.code, str(found.invitation), "/ca.crt", "docs/lan.md"):
        assert part in text
    assert f"{ADDRESS}:8443 TCP" in text
    assert f"{ADDRESS}:7882 UDP" in text


def test_no_trust_is_asked_for_a_supplied_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = supplied(tmp_path, monkeypatch)
    assert not any("trust" in line for line in notice(read(tmp_path), found))


def test_the_picture_is_square_and_fits_a_terminal(tmp_path: Path) -> None:
    lines = qr_code(find_door(read(tmp_path)))
    widths = {len(line) for line in lines}
    # A character is as wide as one module and as high as two.
    assert widths == {max(widths)}
    assert abs(2 * len(lines) - max(widths)) <= 1
    assert max(widths) < 80
    assert set("".join(lines)) <= set(" ▀▄█")
