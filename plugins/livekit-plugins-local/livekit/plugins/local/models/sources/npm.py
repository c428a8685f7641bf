"""Finding tarballs with npm, which knows the registry, the proxy and the credentials to use."""

import base64
import json
from collections.abc import Callable, Sequence

from livekit.plugins.local.models.concurrency import in_thread
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import Package

from .client import Registry, RunClient, run_client
from .knock import knock, npm_registry
from .packages import Artifact

OPTIONS = (
    *("dist", "--json", "--loglevel=error", "--no-update-notifier"),
    # By default npm waits a minute before it says that it is offline.
    *("--fetch-retries=1", "--fetch-retry-mintimeout=500", "--fetch-timeout=10000"),
)


class NpmResolver:
    """Resolves packages through ``npm view``.

    Args:
        run: Runs a command; replaced in tests.
        registry: Returns the URL that npm will ask, empty if nobody knows.
    """

    def __init__(
        self, run: RunClient = run_client, registry: Callable[[], str] = npm_registry
    ) -> None:
        self._run = run
        self._url = registry
        self._registry = Registry()

    async def resolve(self, packages: Sequence[Package]) -> list[Artifact]:
        """Find the tarballs of ``packages``.

        Raises:
            Refused: npm is missing, cannot reach its registry, or did not find one of them.
        """
        async with self._registry.asking():
            await knock(await in_thread(self._url))
            return [await self._resolve(f"{each.name}@{each.version}") for each in packages]

    async def _resolve(self, specifier: str) -> Artifact:
        answer = await self._run(["npm", "view", specifier, *OPTIONS])
        try:
            body = json.loads(answer.stdout)
            if answer.status != 0:
                raise _refusal(specifier, body["error"]["code"])
            # Subresource integrity: base64 digests separated by spaces, each after its algorithm.
            digests = dict(entry.split("-", 1) for entry in body["integrity"].split())
            sha512 = base64.b64decode(digests["sha512"]).hex()
            return Artifact(body["tarball"], "sha512", sha512)
        except (ValueError, KeyError, TypeError):
            raise Refused("network", "npm's answer is not understood") from None


def _refusal(specifier: str, code: str) -> Refused:
    if code == "E404":
        return Refused("not_found", f"the registry has no {specifier}")
    return Refused("offline", f"npm cannot reach its registry ({code})")
