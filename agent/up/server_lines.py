"""The LiveKit server's own log: what of it is worth showing, without what is personal in it.

Its lines are tab-separated: time, level, component, place in the source, message, fields as JSON.
"""

import json
import re

from agent.logs import without_personal

_CHATTER = re.compile(r"^\S+\t(DEBUG|INFO)\t")
_FIELDS = re.compile(r"\t(\{.*)$")
# Besides the names that our own logs know.
_PERSONAL = frozenset(
    {"participantIdentity", "publisher", "publisherIdentity", "remoteParticipant"}
)


def quiet(line: str) -> str | None:
    """Return a line as it may be shown, or None for one that is not worth it."""
    return None if _CHATTER.match(line) else tidy(line)


def tidy(line: str) -> str:
    """Return a line without the fields that name rooms and participants."""
    found = _FIELDS.search(line)
    if not found:
        return line
    try:
        fields = json.loads(found[1])
    except ValueError:
        return line[: found.start()]
    fields = without_personal(fields)
    kept = {name: value for name, value in fields.items() if name not in _PERSONAL}
    return f"{line[: found.start()]}\t{json.dumps(kept)}" if kept else line[: found.start()]
