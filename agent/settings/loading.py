"""Reading the settings from the environment and from ``.env``."""

import difflib
import os
from pathlib import Path

from pydantic import ValidationError

from agent.errors import UserError
from agent.settings.env_file import read_env_file

from .whole import Settings, env_name

# Variables that other libraries read: allowed in `.env`, and passed on to every process.
FOREIGN_VARIABLES = frozenset(
    {
        "ALL_PROXY",
        "CUDA_VISIBLE_DEVICES",
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "HF_TOKEN",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "OMP_NUM_THREADS",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TZ",
    }
)

# Environment variable: with it at 1, what `.env` says is in the environment already. A process that
# is started later, for a call or after a crash, so gets the settings with which all began.
ENV_FILE_READ = "ELOQUENCE_ENV_FILE_READ"


def load(env_file: Path | None = None) -> Settings:
    """Read the settings from the environment and from ``.env`` (the environment wins).

    What ``.env`` sets is put into ``os.environ``, so that child processes and libraries see it.

    Args:
        env_file: File to read instead of ``.env`` in the current directory.

    Raises:
        UserError: The file cannot be read, or a variable is unknown or has a bad value; the
            sentence names it.
    """
    if env_file or os.environ.get(ENV_FILE_READ) != "1":
        path = env_file or Path(".env")
        for name, value in read_env_file(path).items():
            _check_known(name, path)
            if value is not None:
                os.environ.setdefault(name, value)
    try:
        return Settings()
    except ValidationError as error:
        raise UserError(_sentence(error)) from None


def _check_known(name: str, path: Path) -> None:
    known = {env_name(field) for field in Settings.model_fields}
    if name in known or name.upper() in FOREIGN_VARIABLES:
        return
    close = difflib.get_close_matches(name.upper(), known, n=1)
    hint = f"did you mean {close[0]}?" if close else "see .env.example for the list."
    raise UserError(f"{path} sets {name}, which is not a setting; {hint}")


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if not first["loc"]:
        return f"{message}."
    field = str(first["loc"][0])
    name = env_name(field) if field in Settings.model_fields else field
    # Never echo what may be a secret.
    secret = any(word in name for word in ("KEY", "SECRET", "CODE"))
    given = "" if secret else f" is {os.environ.get(name)!r}, but it"
    return f"{name}{given} {message[0].lower()}{message[1:]}."
