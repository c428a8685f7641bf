"""What to say of a process that ended."""

from agent import logs

# How the command line says why it ends, as text and as JSON.
_PREFIX = "eloquence: "
_PROCESS, _LEVEL = "eloquence", "CRITICAL"


def final_sentence(last_line: str) -> str | None:
    """Return the sentence with which a process said itself why it ended, if it did."""
    if last_line.startswith(_PREFIX):
        return last_line.removeprefix(_PREFIX)
    parsed = logs.parse_json_line(last_line)
    if parsed and (parsed["process"], parsed["level"]) == (_PROCESS, _LEVEL):
        return str(parsed["message"])
    return None


def obituary(name: str, remedy: str, last_line: str, status: int) -> str:
    """Say in one sentence why a service ended.

    Args:
        name: The service.
        remedy: What to look at: an imperative clause.
        last_line: The last line that it printed.
        status: Its exit status; negative for a signal.
    """
    if sentence := final_sentence(last_line):
        return f"{name} stopped: {sentence}"
    # What it printed before somebody killed it has nothing to do with that.
    cause = f"signal {-status}" if status < 0 else _message(last_line) or f"status {status}"
    return f"{name} stopped ({cause.rstrip('.')}); {remedy}."


def _message(line: str) -> str:
    parsed = logs.parse_json_line(line)
    return str(parsed["message"]) if parsed else line
