"""Errors of the engine."""

from livekit.plugins.local.failures import Code, explain


class EngineError(Exception):
    """The engine refused or failed.

    Args:
        code: Stable, machine-readable.
        message: One sentence that says what is wrong and what to do.
        retryable: Whether the same request may succeed a moment later.
        remedy: The part of the message that says what to do; empty if nobody can do anything.
    """

    def __init__(
        self, code: str, message: str, *, retryable: bool = False, remedy: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
        self.remedy = remedy


def engine_error(code: Code, **names: object) -> EngineError:
    """Return the error for a failure that `failures` words.

    Args:
        code: Which.
        names: What it is about.
    """
    failure = explain(code, **names)
    return EngineError(code, failure.message, retryable=failure.retryable, remedy=failure.remedy)
