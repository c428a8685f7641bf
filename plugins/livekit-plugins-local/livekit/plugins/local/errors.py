"""Errors of the engine."""


class EngineError(Exception):
    """The engine refused or failed.

    Args:
        code: Stable, machine-readable.
        message: One sentence that says what is wrong and what to do.
        retryable: Whether the same request may succeed a moment later.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable
