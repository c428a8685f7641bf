import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from agent.errors import UserError
from agent.livekit.config import loopback_config
from agent.livekit.keys import ApiKeys, generated_keys, server_keys
from agent.settings import Settings

pytestmark = pytest.mark.unit

SECRET = "0123456789abcdef0123456789abcdef"


def with_keys(key: str | None, secret: str | None, cache_dir: Path) -> Settings:
    return Settings().model_copy(
        update={
            "livekit_api_key": key,
            "livekit_api_secret": SecretStr(secret) if secret else None,
            "cache_dir": cache_dir,
        }
    )


def test_generated_keys_are_long_private_and_kept(tmp_path: Path) -> None:
    keys = generated_keys(tmp_path / "cache")
    assert len(keys.secret) >= 32
    assert generated_keys(tmp_path / "cache") == keys
    assert generated_keys(tmp_path / "other") != keys
    path = tmp_path / "cache" / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_come_at_the_same_time_get_the_same_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(generated_keys, [tmp_path / "cache"] * 64))
    assert len({keys.secret for keys in made}) == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"api_key": "k", "api_secret": "short"}', '{"api_key": "k"}']
)
def test_a_damaged_file_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        generated_keys(tmp_path)
    assert str(path) in str(raised.value)
    assert "delete it" in str(raised.value)


def test_configured_keys_are_used(tmp_path: Path) -> None:
    assert server_keys(with_keys("k", SECRET, tmp_path)) == ApiKeys("k", SECRET)
    assert list(tmp_path.iterdir()) == []


def test_half_a_pair_names_the_missing_half(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="LIVEKIT_API_SECRET is not"):
        server_keys(with_keys("k", None, tmp_path))
    with pytest.raises(UserError, match="LIVEKIT_API_KEY is not"):
        server_keys(with_keys(None, SECRET, tmp_path))


def test_the_secret_has_no_representation() -> None:
    assert SECRET not in repr(ApiKeys("k", SECRET))


def test_the_development_server_stays_on_loopback(tmp_path: Path) -> None:
    settings = with_keys(None, None, tmp_path).model_copy(
        update={"livekit_port": 7000, "livekit_udp_port": 7001}
    )
    assert json.loads(loopback_config(settings, ApiKeys("k", SECRET))) == {
        "port": 7000,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {
            "tcp_port": 0,
            "udp_port": 7001,
            "use_external_ip": False,
            "node_ip": "127.0.0.1",
            "enable_loopback_candidate": True,
            "ips": {"includes": ["127.0.0.1/32"]},
            "stun_servers": ["127.0.0.1:3478"],
        },
        "keys": {"k": SECRET},
        "room": {"auto_create": True, "empty_timeout": 30, "departure_timeout": 5},
        "logging": {"level": "error"},
    }
