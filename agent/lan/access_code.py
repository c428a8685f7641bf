"""The code that a caller on the local network has to know."""

import secrets
from typing import Final

# Nothing that looks or sounds like something else, and one case: it is typed on a phone.
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
_GROUPS: Final = 3
_GROUP_LENGTH: Final = 4


def new_code() -> str:
    """Return a fresh code, such as ``k7mq-2xwp-h4rd`` (59 bits)."""
    groups = (
        "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
    )
    return "-".join(groups)


def same_code(given: str, wanted: str) -> bool:
    """Compare in a time that tells nothing; case, spaces and hyphens do not matter."""
    return secrets.compare_digest(_plain(given), _plain(wanted))


def _plain(code: str) -> bytes:
    # Bytes of a header that were no text are no code either.
    return "".join(code.split()).replace("-", "").casefold().encode(errors="replace")
