"""What can go wrong with a model, in words for the person who has to put it right."""

from collections.abc import Sequence
from typing import Literal

Code = Literal[
    "unknown_model",
    "offline",
    "not_found",
    "gated",
    "hash_mismatch",
    "disk_full",
    "permission_denied",
    "network",
    "no_client",
]

# What to do, per code; in the order in which the cause of several refusals is named.
REMEDIES: dict[Code, str] = {
    "disk_full": "free some space or set ELOQUENCE_CACHE_DIR to a larger disk",
    "permission_denied": "make that directory writable or set ELOQUENCE_CACHE_DIR to another",
    "hash_mismatch": "try again later, or name another model in the settings",
    "gated": "accept the model's terms on the hub and set HF_TOKEN",
    "network": "try again: the download continues where it stopped",
    "no_client": "install the missing program",
    "offline": "connect this machine (HF_ENDPOINT and HTTPS_PROXY are honoured) and pull it again",
    "not_found": "name another model in the settings",
    "unknown_model": "`eloquence models list` shows the known ones",
}


class ModelError(Exception):
    """A model cannot be had.

    Args:
        code: Stable, machine-readable; a key of `REMEDIES`.
        message: One sentence that says what is wrong and what to do.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Refused(Exception):
    """One source could not deliver; the next one is asked.

    Args:
        code: As in `ModelError`.
        reason: Half a sentence, without a full stop.
    """

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def model_error(code: Code, problem: str) -> ModelError:
    """Return the error for ``problem`` (half a sentence) with the remedy of ``code``."""
    return ModelError(code, f"{problem}; {REMEDIES[code]}.")


def unavailable(model_id: str, refusals: Sequence[tuple[str, Refused]]) -> ModelError:
    """Return the error for a model that no source delivered.

    Args:
        model_id: The model.
        refusals: Name and refusal of each source that was asked, in order; at least one.
    """
    codes = {refusal.code for _, refusal in refusals}
    code = next(code for code in REMEDIES if code in codes)
    reasons = "; ".join(f"{name}: {refusal.reason}" for name, refusal in refusals)
    return model_error(code, f"Model {model_id} could not be fetched ({reasons})")
