"""Log lines that a person can read and that tell nothing about the people who talk."""

import logging
import sys

# Attributes of every record; whatever else a record carries came in as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# What the framework adds to its records about whose call it is.
_PERSONAL = frozenset({"room", "room_name", "participant", "participant_identity", "identity"})
_QUIET = ("aiohttp.access", "asyncio", "httpcore2", "httpx2", "livekit", "openai")


class ReadableFormatter(logging.Formatter):
    """One line per record: time, level, message, and the extra fields that hold nothing personal.

    The framework marks personal fields with a dot-delimited ``pii`` segment in their name.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = self.formatTime(record, "%H:%M:%S")
        fields = "".join(
            f" {name}={value}"
            for name, value in vars(record).items()
            if name not in _STANDARD | _PERSONAL and "pii" not in name.split(".")
        )
        line = f"{time} {record.levelname:<7} {record.getMessage()}{fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def setup(level: str) -> None:
    """Send all log records of this process to standard error, in readable form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ReadableFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Below the quiet `livekit`, whose own lines come from the media library.
    logging.getLogger("livekit.agents").setLevel(level)
    logging.getLogger("livekit.plugins").setLevel(level)
