"""Finding wheels with pip, which knows the index, the proxy and the credentials of this machine."""

import json
import re
import sys
from collections.abc import Callable, Sequence

from livekit.plugins.local.models.concurrency import in_thread
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import Package

from .client import Registry, RunClient, run_client
from .knock import knock, pip_index
from .packages import Artifact

# `-P`: a file called pip.py in the current directory is not pip.
COMMAND = (
    *(sys.executable, "-P", "-m", "pip", "install", "--dry-run", "--report", "-", "--quiet"),
    *("--ignore-installed", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python"),
    *("--no-input", "--disable-pip-version-check", "--retries", "1", "--timeout", "10"),
)


class PipResolver:
    """Resolves packages through pip's installation report, without installing anything.

    The report's format: https://pip.pypa.io/en/stable/reference/installation-report/

    Args:
        run: Runs a command; replaced in tests.
        index: Returns the URL that pip will ask for these packages, empty if nobody knows.
    """

    def __init__(
        self,
        run: RunClient = run_client,
        index: Callable[[Sequence[str]], str] = pip_index,
    ) -> None:
        self._run = run
        self._index = index
        self._registry = Registry()

    async def resolve(self, packages: Sequence[Package]) -> list[Artifact]:
        """Find the wheels of ``packages``, all in one call.

        Raises:
            Refused: pip is missing, cannot reach its index, or did not find one of them.
        """
        specifiers = [f"{package.name}=={package.version}" for package in packages]
        async with self._registry.asking():
            names = [package.name for package in packages]
            await knock(await in_thread(self._index, names))
            answer = await self._run([*COMMAND, *specifiers])
            if answer.status != 0:
                raise _refusal(answer.stderr)
        try:
            found = _artifacts(answer.stdout)
            return [found[_normal(package.name)] for package in packages]
        except (ValueError, KeyError, TypeError):
            raise Refused("network", "pip's report is not understood") from None


def _artifacts(report: str) -> dict[str, Artifact]:
    found: dict[str, Artifact] = {}
    for item in json.loads(report)["install"]:
        source = item["download_info"]
        sha256 = source["archive_info"]["hashes"]["sha256"]
        found[_normal(item["metadata"]["name"])] = Artifact(source["url"], "sha256", sha256)
    return found


def _normal(name: str) -> str:
    """Return the normal form of a project name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _refusal(stderr: str) -> Refused:
    if "No module named pip" in stderr:
        return Refused("no_client", "pip is not installed beside this Python")
    # An index that cannot be reached ends in the same error as a missing package, after a warning.
    if "Retrying" in stderr:
        return Refused("offline", "pip cannot reach its package index")
    if missing := re.search(r"No matching distribution found for (\S+)", stderr):
        return Refused("not_found", f"the package index has no {missing[1]}")
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR")]
    return Refused("network", f"pip failed: {errors[-1] if errors else 'it does not say why'}")
