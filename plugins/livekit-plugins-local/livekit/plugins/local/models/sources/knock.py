"""Finding out at once that a registry is out of reach, where its client would take seconds."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from configparser import ConfigParser, Error
from contextlib import suppress
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

from livekit.plugins.local.models.errors import Refused
from platformdirs import site_config_path, user_config_path
from yarl import URL

_KNOCK_SECONDS = 3.0
# After this long without an answer by IPv6, which may lead nowhere, IPv4 is tried beside it.
_OTHER_FAMILY_SECONDS = 0.25
_SCHEMES = ("https", "http")
# What pip and npm ask where nobody has told them otherwise.
_PYPI, _NPM = "https://pypi.org/simple", "https://registry.npmjs.org"


async def knock(address: str) -> None:
    """Connect to a server and hang up; where a proxy stands between, do nothing.

    Raises:
        Refused: It cannot be reached.
    """
    try:
        url = URL(address)
    except ValueError:
        return  # The client says better what is wrong with it.
    if not url.host or url.scheme not in _SCHEMES:
        return
    if getproxies().keys() & {url.scheme, "all"} and not proxy_bypass(url.host):
        return
    try:
        async with asyncio.timeout(_KNOCK_SECONDS):
            _, writer = await asyncio.open_connection(
                url.host, url.port, happy_eyeballs_delay=_OTHER_FAMILY_SECONDS
            )
    except TimeoutError:
        reason = f"{url.host} did not answer within {_KNOCK_SECONDS:g} s"
        raise Refused("offline", reason) from None
    except OSError as error:
        cause = error.strerror or str(error)
        if isinstance(error, socket.gaierror):
            cause = f"its name cannot be resolved ({cause})"
        raise Refused("offline", f"{url.host} cannot be reached: {cause}") from None
    writer.close()


def pip_index(packages: Iterable[str]) -> str:
    """Return the index that pip will ask, as environment and configuration files name it.

    Args:
        packages: What it is asked for.

    Returns:
        A URL; empty if pip may have them from elsewhere, or goes through a proxy of its own.
    """
    found = {name: value for options in _pip_options() for name, value in options}
    if found.keys() & {"proxy", "no-index", "extra-index-url"}:
        return ""
    names = [re.sub(r"[-_.]+", "_", package).lower() for package in packages]
    for place in found.get("find-links", "").split():
        folder = place.removeprefix("file://")
        if "://" in folder or any(any(Path(folder).glob(f"{name}-*")) for name in names):
            return ""
    return found.get("index-url", _PYPI)


def npm_registry() -> str:
    """Return the registry that npm will ask; empty if it goes through a proxy of its own."""
    found = {"registry": _NPM}
    for path in (Path("/etc/npmrc"), Path.home() / ".npmrc", Path(".npmrc")):
        with suppress(OSError, UnicodeDecodeError):
            pairs = (line.partition("=") for line in path.read_text("utf-8").splitlines())
            found |= {name.strip(): value.strip() for name, _, value in pairs}
    for name, value in os.environ.items():
        if name.lower().startswith("npm_config_"):
            found[name.lower().removeprefix("npm_config_").replace("_", "-")] = value
    return "" if found.keys() & {"proxy", "https-proxy"} else found["registry"]


def _pip_options() -> Iterator[Sequence[tuple[str, str]]]:
    """Yield pip's options, those that count most last.

    See https://pip.pypa.io/en/stable/topics/configuration/
    """
    files = [
        *(site_config_path("pip") / "pip.conf", Path("/etc/pip.conf")),
        *(Path.home() / ".pip" / "pip.conf", user_config_path("pip") / "pip.conf"),
        *(Path(sys.prefix) / "pip.conf", Path(os.environ.get("PIP_CONFIG_FILE") or os.devnull)),
    ]
    parser = ConfigParser(interpolation=None, strict=False)
    with suppress(Error, UnicodeDecodeError):
        parser.read(files, encoding="utf-8")
    for section in ("global", "install"):
        if parser.has_section(section):
            yield [(name.replace("_", "-"), value) for name, value in parser.items(section)]
    yield [
        (name.removeprefix("PIP_").replace("_", "-").lower(), value)
        for name, value in os.environ.items()
        if name.startswith("PIP_") and value
    ]
