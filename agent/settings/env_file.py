"""Reading a ``.env`` file, without overlooking what makes no sense in it."""

import io
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from agent.errors import UserError


def read_env_file(path: Path) -> dict[str, str | None]:
    """Return the variables that a file sets; a file that is not there sets none.

    Raises:
        UserError: The file cannot be read, or a line of it has no meaning.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        return {}
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise _no_text(path) from None
    if "\0" in text:  # which no environment can hold
        raise _no_text(path)
    for statement in parse_stream(io.StringIO(text)):
        if statement.error:
            # It begins with the empty lines before it.
            part, line = statement.original
            line += part[: len(part) - len(part.lstrip())].count("\n")
            raise UserError(f"{path}, line {line}, is not of the form NAME=value; correct it.")
    return dotenv_values(stream=io.StringIO(text))


def _no_text(path: Path) -> UserError:
    return UserError(f"{path} is not text in UTF-8; start anew from .env.example.")
