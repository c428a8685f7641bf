"""The program ``eloquence``: its command line, and a quick way out of it."""

import atexit
import contextlib
import os
import sys
from typing import NoReturn

from agent.cli.main import main

_CALLER = "agent.caller.call"


def program() -> None:
    """Run the command line; see `agent.cli.main.main`.

    Where a call was placed, the interpreter is not taken down in order: a thread of LiveKit's
    library that has something to report meanwhile makes the process abort, whatever its status was.
    """
    status: int | str | None = 0
    try:
        main()
    except SystemExit as end:
        status = end.code
    if _CALLER in sys.modules:
        _leave(1 if isinstance(status, str) else status or 0)
    sys.exit(status)


def _leave(status: int) -> NoReturn:
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it has gone
            stream.flush()
    os._exit(status)
