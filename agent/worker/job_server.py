"""Starting job processes from a copy of this process instead of from a new interpreter.

The framework runs jobs in processes that ``multiprocessing`` forks from a server of its own. That
server is a new interpreter, which takes seconds to import what this process has imported already.
"""

import contextlib
import importlib
import os
import traceback
from collections.abc import Sequence
from multiprocessing import forkserver, resource_tracker, util
from typing import Any

PRELOAD = "agent.worker.preload"
"""The module that does once what job processes would do one by one."""

# Then what the framework has its fork server do last.
_IMPORTS = (PRELOAD, "livekit.agents.ipc._preload", "livekit.agents.ipc._preload_freeze")


def fork(imports: Sequence[str] = _IMPORTS) -> None:
    """Make a copy of this process the fork server of ``multiprocessing``.

    Call this when everything is imported, and before there is a thread, an event loop or a log.

    Args:
        imports: What the server imports all the same.
    """
    forkserver.set_forkserver_preload(list(imports))
    resource_tracker.ensure_running()  # a process that remains as it is
    module: Any = util
    start, module.spawnv_passfds = module.spawnv_passfds, _copy
    try:
        forkserver.ensure_running()
    finally:
        module.spawnv_passfds = start


def _copy(_: object, args: Sequence[str], descriptors: Sequence[int]) -> int:
    """Do what ``python -c CODE`` would, in a copy.

    Args:
        _: The interpreter.
        args: Its arguments, of which the code is the last.
        descriptors: What the copy may keep open, apart from its standard streams.

    Returns:
        The process id of the copy.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            # The server lives for as long as the other end of one of its pipes is open somewhere.
            _close_all_but(set(descriptors))
            importlib.reload(forkserver)  # its lock is taken, and stays so in a copy
            with contextlib.suppress(SystemExit):
                exec(args[-1], {})
            status = 0
        finally:
            if status:  # the framework will start an ordinary server instead
                traceback.print_exc()
            os._exit(status)
    return pid


def _close_all_but(kept: set[int]) -> None:
    low = 3  # the standard streams stay
    for descriptor in sorted(kept):
        if low < descriptor:  # an empty range counts as an endless one in some versions
            os.closerange(low, descriptor)
        low = max(low, descriptor + 1)
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
