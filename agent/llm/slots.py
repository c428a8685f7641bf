"""Which of the embedded language model's slots a call uses.

A slot keeps what it has read of one conversation. llama.cpp gives a request to any slot that is
free: one that comes while an earlier request of the same call is still being given up would be read
from the beginning in another slot, for seconds. So each call keeps to one slot, where it waits.
"""

import fcntl
import os
from pathlib import Path

from agent.paths import private_dir
from agent.settings import Settings

SLOTS = 2
"""Replies written at the same time. More of them share the same cores and all get slower; a further
call waits its turn, and its prompt comes back from the prompt cache."""


def take_slot(settings: Settings) -> int | None:
    """Take a slot for as long as this process lives.

    Returns:
        Its number, or None when other calls on this machine have them all: then any will do.
    """
    folder = private_dir(settings.cache_dir / "run")
    for slot in range(SLOTS):
        if _lock(folder / f"llm-{settings.llm_port}-slot-{slot}"):
            return slot
    return None


def slot_of(slot: int | None) -> dict[str, int]:
    """Return what to add to a request for it to use a slot."""
    return {} if slot is None else {"id_slot": slot}


def _lock(path: Path) -> bool:
    # Never closed: the lock is the process's, and ends with it however that happens.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return False
    return True
