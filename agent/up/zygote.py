"""A process that has imported what does not change, and of which each new worker is a copy.

It is a program: its arguments name the modules to import, its standard input is a Unix socket. Each
byte there brings two descriptors: where a copy's output goes, and a socket of the copy's own. On
that socket the zygote says the copy's process id and, when the time has come, its exit status, one
line each. The copy reads there what it is to be, as a JSON object: ``module`` and ``env``.

Nothing of the project is imported here, for a copy must load the source as it is by then.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h
CHUNK = 65_536


def main(modules: list[str]) -> None:
    """Import, then make copies until nobody can ask for one; in each copy, run what it is to be."""
    for name in modules:
        with contextlib.suppress(ImportError):  # a copy that needs it says so
            importlib.import_module(name)
    # Collecting in a copy would touch, and so duplicate, the memory that all of them share.
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=os.dup(0))
    line = make_copies(control)
    if line is None:
        return
    wanted = json.loads(_read(line) or b"null")
    if wanted is None:  # whoever asked does not want it any more
        return
    os.environ.clear()
    os.environ.update(wanted["env"])
    time.tzset()
    sys.argv = [wanted["module"]]
    sys.path.insert(0, str(Path.cwd()))  # as for `python -m`
    importlib.invalidate_caches()
    runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)


def make_copies(control: socket.socket) -> socket.socket | None:
    """Fork whenever a byte comes.

    Args:
        control: Where requests come from; its end ends this.

    Returns:
        In each copy its own socket, in the zygote None.
    """
    lines: dict[int, socket.socket] = {}
    ours = os.getpid()

    def bury(*_: object) -> None:
        while lines:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            with lines.pop(pid) as line:
                _say(line, os.waitstatus_to_exitcode(status))

    signal.signal(signal.SIGCHLD, bury)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 2)
        if not message:
            return None
        output, line = descriptors[0], socket.socket(fileno=descriptors[1])
        # Its end must not be noticed before it is known.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            for each in (control, *lines.values()):
                each.close()
            _become_independent(ours, output)
            return line
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(pid, pid)  # here too, for it may be killed as a group before it gets there
        os.close(output)
        lines[pid] = line
        _say(line, pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _become_independent(zygote: int, output: int) -> None:
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    ctypes.PyDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != zygote:  # it died before the call
        os._exit(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def _say(line: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # whoever asked is not interested any more
        line.sendall(b"%d\n" % number)


def _read(line: socket.socket) -> bytes:
    with line:
        received = b""
        while chunk := line.recv(CHUNK):
            received += chunk
        return received


if __name__ == "__main__":
    main(sys.argv[1:])
