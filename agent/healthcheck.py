"""Health check of a container: asks one process over HTTP whether all is well with it.

``python -m agent.healthcheck unix:PATH|http://HOST:PORT /PATH`` prints what it answers and ends
with status 0 when that answer is 2xx. Only the standard library is imported, because this runs
every few seconds beside the calls.
"""

import http.client
import socket
import sys
from typing import Final
from urllib.parse import urlsplit

UNIX_SCHEME: Final = "unix:"
_TIMEOUT_SECONDS: Final = 4.0


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a socket in the file system; no host is looked up."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def check(address: str, path: str) -> tuple[bool, str]:
    """Ask once.

    Args:
        address: ``unix:PATH`` or ``http://HOST:PORT``.
        path: What to ask for, such as ``/readyz``.

    Returns:
        Whether the answer was 2xx, and the answer itself or why there was none.
    """
    connection = _connection(address)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return 200 <= response.status < 300, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"{address} does not answer ({error})."
    finally:
        connection.close()


def _connection(address: str) -> http.client.HTTPConnection:
    if address.startswith(UNIX_SCHEME):
        return _UnixConnection(address.removeprefix(UNIX_SCHEME))
    url = urlsplit(address)
    return http.client.HTTPConnection(url.hostname or "", url.port, timeout=_TIMEOUT_SECONDS)


def main() -> int:
    """Check what the command line names, and return the exit status."""
    healthy, text = check(*sys.argv[1:])
    sys.stdout.write(f"{text}\n")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
