"""What can go wrong with a model, in words for the person who has to put it right."""

from collections.abc import Mapping, Sequence

from livekit.plugins.local.failures import Code, Diagnosis, explain

# Which of several refusals is the cause to name: what a person can put right comes first.
PRECEDENCE: tuple[Code, ...] = (
    "disk_too_small",
    "disk_full",
    "permission_denied",
    "hash_mismatch",
    "truncated",
    "bad_token",
    "gated",
    "bad_revision",
    "timeout",
    "network",
    "no_client",
    "offline",
    "offline_mode",
    "bad_bundle",
    "bundle_version",
    "not_found",
)


class ModelError(Exception):
    """A model cannot be had.

    Args:
        failure: What happened.
    """

    def __init__(self, failure: Diagnosis) -> None:
        super().__init__(failure.message)
        self.code = failure.code
        self.message = failure.message
        self.remedy = failure.remedy


class Refused(Exception):
    """One source could not deliver; the next one is asked.

    Args:
        code: One of `PRECEDENCE`.
        reason: Half a sentence, without a full stop.
        names: What the failure is about, beyond ``model`` and ``reasons``.
    """

    def __init__(self, code: Code, reason: str, names: Mapping[str, object] | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.names = dict(names or {})


def model_error(code: Code, **names: object) -> ModelError:
    """Return the error for a failure that `failures` words.

    Args:
        code: Which.
        names: What it is about.
    """
    return ModelError(explain(code, **names))


def unavailable(model: str, refusals: Sequence[tuple[str, Refused]]) -> ModelError:
    """Return the error for a model that no source delivered.

    Args:
        model: The model, as the user names it.
        refusals: Name and refusal of each source that was asked, in order; at least one.
    """
    cause = min((refusal for _, refusal in refusals), key=lambda one: PRECEDENCE.index(one.code))
    reasons = "; ".join(f"{name}: {refusal.reason}" for name, refusal in refusals)
    return model_error(cause.code, **({"model": model, "reasons": reasons} | cause.names))
