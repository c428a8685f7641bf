import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from livekit.plugins.local.models import ModelError, default_manifest
from livekit.plugins.local.models import manifest as module
from livekit.plugins.local.models.manifest import parse_manifest

pytestmark = pytest.mark.unit

HASH = "0" * 64
GOOD = f"""
[[models]]
id = "small"
kind = "stt"
description = "A model"
license = "MIT"
attribution = "Somebody"
hub = {{ repo = "some/model", revision = "abc123" }}
files = [{{ name = "model.bin", size = 3, sha256 = "{HASH}" }}]

[[models.mirrors]]
ecosystem = "pypi"
packages = [
  {{ name = "part-a", version = "1.0.0", size = 10, members = {{ "model.bin" = "part_a/1.bin" }} }},
  {{ name = "part-b", version = "1.0.0", size = 10, folder = "part_b/data" }},
]
"""


def test_a_good_manifest_is_read_whole() -> None:
    model = parse_manifest(GOOD)["small"]
    first, second = model.mirrors[0].packages
    assert model.size == 3
    assert first.member(model.files[0]) == "part_a/1.bin"
    assert second.member(model.files[0]) == "part_b/data/model.bin"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('name = "model.bin"', 'name = "../model.bin"'),
        lambda text: text.replace('name = "model.bin"', 'name = "/etc/passwd"'),
        lambda text: text.replace('name = "model.bin"', 'name = ".."'),
        lambda text: text.replace('name = "model.bin"', 'name = "a/b"'),
        lambda text: text.replace('id = "small"', 'id = "../small"'),
        lambda text: text.replace('id = "small"', 'id = ".hidden"'),
        lambda text: text.replace('"part_a/1.bin"', '"../../1.bin"'),
        lambda text: text.replace('"part_a/1.bin"', '"/1.bin"'),
        lambda text: text.replace('"part_b/data"', '"part_b/../.."'),
        lambda text: text.replace('"part-a"', '"--index-url=http://example.org"'),
        lambda text: text.replace('"part-a"', '"part-a @ file:///tmp"'),
        lambda text: text.replace('version = "1.0.0"', 'version = ">=1"'),
        lambda text: text.replace("some/model", "some/../model"),
        lambda text: text.replace("some/model", "model"),
        lambda text: text.replace("abc123", "../main"),
        lambda text: text.replace(HASH, HASH[:-1]),
        lambda text: text.replace(HASH, "A" * 64),
        lambda text: text.replace("size = 3", "size = 0"),
        lambda text: text.replace("size = 3", "size = -1"),
        lambda text: text.replace("size = 3,", ""),
        lambda text: text.replace("pypi", "conda"),
        lambda text: text.replace('kind = "stt"', 'kind = "toy"'),
        lambda text: text.replace('license = "MIT"', 'license = ""'),
        lambda text: text.replace('license = "MIT"', 'license = "MIT"\nurl = "x"'),
        lambda text: text.replace('{ "model.bin" =', '{ "other.bin" ='),
        lambda text: text.replace(', folder = "part_b/data"', ""),
        lambda text: text + text,
        lambda text: text.replace("[[models]]", "[[models"),
    ],
)
def test_a_bad_manifest_is_refused(change: Callable[[str], str]) -> None:
    bad = change(GOOD)
    assert bad != GOOD
    with pytest.raises(ValueError, match=r"."):
        parse_manifest(bad)


def test_the_manifest_of_the_package_is_good_and_complete() -> None:
    manifest = default_manifest()
    ids = {model.id for model in manifest}
    assert ids >= {
        "whisper-base",
        "qwen2.5-coder-1.5b-instruct-q4_k_m",
        "kokoro-82m-q8",
        "kokoro-voices",
    }
    for model in manifest:
        assert len(model.hub.revision) == 40, f"{model.id} is not pinned to a commit"
        assert model.mirrors or model.id == "whisper-large-v3-turbo", f"{model.id} has no mirror"
        for mirror in model.mirrors:
            carried = [file for file in model.files if any(p.member(file) for p in mirror.packages)]
            assert carried == list(model.files)


def test_no_hash_of_the_package_is_there_twice() -> None:
    hashes = [file.sha256 for model in default_manifest() for file in model.files]
    assert len(set(hashes)) == len(hashes)
    assert all(len(digest) == 64 for digest in hashes)


def test_parts_are_listed_in_numeric_order() -> None:
    text = Path(module.__file__).with_name("manifest.toml").read_text()
    for model in tomllib.loads(text)["models"]:
        for mirror in model.get("mirrors", []):
            numbers = [
                int(package["name"].rpartition("part")[2])
                for package in mirror["packages"]
                if "part" in package["name"]
            ]
            assert numbers == list(range(1, len(numbers) + 1))


def test_kokoro_speaks_every_language_of_its_voices() -> None:
    names = {file.name for file in default_manifest()["kokoro-voices"].files}
    assert len(names) == 54
    assert {name[:2] for name in names} >= {"af", "am", "bf", "bm", "ff", "ef", "if", "pf", "hf"}
    assert {"af_heart.bin", "ff_siwis.bin"} < names


def test_an_unknown_model_is_a_clear_error() -> None:
    with pytest.raises(ModelError) as caught:
        default_manifest()["whisper-gigantic"]
    assert caught.value.code == "unknown_model"
    assert "whisper-gigantic" in caught.value.message
