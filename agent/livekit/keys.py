"""API key and secret of a LiveKit server that we start."""

import contextlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import UserError
from agent.paths import private_dir
from agent.settings import Settings

# The server warns below 32 characters, and JWT libraries refuse shorter HMAC keys.
MIN_SECRET_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """A key and its secret, which stays out of every representation."""

    key: str
    secret: str = field(repr=False)


def server_keys(settings: Settings) -> ApiKeys:
    """Return the configured keys, else the ones generated for this cache directory.

    Raises:
        UserError: Only one half is configured, or the file with the generated keys is damaged.
    """
    key, secret = settings.livekit_api_key, settings.livekit_api_secret
    if bool(key) != bool(secret):
        given, lacking = "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"
        if secret:
            given, lacking = lacking, given
        raise UserError(f"{given} is set but {lacking} is not; set both, or neither.")
    if key and secret:
        return ApiKeys(key, secret.get_secret_value())
    return generated_keys(settings.cache_dir)


def generated_keys(cache_dir: Path) -> ApiKeys:
    """Return the keys kept in ``cache_dir/keys.json``, made on first use.

    Processes that come at the same time all get the same pair.

    Raises:
        UserError: The file is damaged.
    """
    path = private_dir(cache_dir) / "keys.json"
    if not path.exists():
        _create(path)
    try:
        stored = json.loads(path.read_text())
        keys = ApiKeys(stored["api_key"], stored["api_secret"])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged; delete it to have new keys made.") from None
    if not keys.key or len(keys.secret) < MIN_SECRET_LENGTH:
        raise UserError(f"{path} holds a short secret; delete it to have new keys made.")
    return keys


def _create(path: Path) -> None:
    pair = {"api_key": f"key{secrets.token_hex(6)}", "api_secret": secrets.token_urlsafe(36)}
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".keys-")  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(pair, file)
        with contextlib.suppress(FileExistsError):  # another process was first: its pair counts
            os.link(name, path)
    finally:
        Path(name).unlink()
