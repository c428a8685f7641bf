"""Log lines, for people or for programs, that tell nothing about the people who talk."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agent.settings import Settings

# Attributes of every record; whatever else a record carries came in as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# What the framework adds to its records about whose call it is.
_PERSONAL = frozenset({"room", "room_name", "participant", "participant_identity", "identity"})
_QUIET = ("aiohttp.access", "asyncio", "httpcore2", "httpx2", "livekit", "openai")
_KEYS = ("time", "level", "process", "message", "fields")


class ReadableFormatter(logging.Formatter):
    """One line per record: time, level, message, and the extra fields that hold nothing personal.

    The framework marks personal fields with a dot-delimited ``pii`` segment in their name.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = self.formatTime(record, "%H:%M:%S")
        fields = "".join(f" {name}={_shown(value)}" for name, value in _fields(record).items())
        line = f"{time} {record.levelname:<7} {record.getMessage()}{fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class JsonFormatter(logging.Formatter):
    """One JSON object per record, on one line; see `json_line`."""

    def __init__(self, process: str) -> None:
        """Create a formatter for the process of that name."""
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = _fields(record)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        at = datetime.fromtimestamp(record.created, UTC)
        return json_line(self._process, record.getMessage(), record.levelname, fields, at)


def json_line(
    process: str,
    message: str,
    level: str = "INFO",
    fields: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> str:
    """Return a log line as a JSON object: time (ISO 8601, UTC), level, process, message, fields.

    Args:
        process: Who says it.
        message: What.
        level: How severe it is, as in `logging`.
        fields: What else there is to know; values without a form in JSON become text.
        at: When; now if not given.
    """
    time = (at or datetime.now(UTC)).isoformat(timespec="milliseconds")
    values = (time, level, process, message, dict(fields or {}))
    return json.dumps(dict(zip(_KEYS, values, strict=True)), ensure_ascii=False, default=str)


def parse_json_line(line: str) -> dict[str, Any] | None:
    """Return what `json_line` was given, or None for a line that it did not make."""
    if not line.startswith("{"):
        return None
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) and tuple(parsed) == _KEYS else None


def without_personal(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that tell nothing about the people who talk."""
    return {
        name: value
        for name, value in fields.items()
        if name not in _PERSONAL and "pii" not in name.split(".")
    }


def setup(settings: Settings, process: str) -> None:
    """Send all log records of this process to standard error.

    Args:
        settings: The settings; they choose the form and the least level.
        process: Name of this process, which JSON lines carry.
    """
    handler = logging.StreamHandler(sys.stderr)
    as_json = settings.log_format == "json"
    handler.setFormatter(JsonFormatter(process) if as_json else ReadableFormatter())
    # For the loggers that say more than is printed, because something else listens to them.
    handler.setLevel(settings.log_level)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Below the quiet `livekit`, whose own lines come from the media library.
    logging.getLogger("livekit.agents").setLevel(settings.log_level)
    logging.getLogger("livekit.plugins").setLevel(settings.log_level)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return without_personal(extra)


def _shown(value: object) -> str:
    """Return a field for people; what has parts is JSON there as well."""
    return json.dumps(value, default=str) if isinstance(value, dict) else str(value)
