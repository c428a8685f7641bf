"""What the hub says of a repository that no manifest describes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from livekit.plugins.local.models.concurrency import in_thread
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import HubRepo

from .hub import CONNECT_SECONDS, Hub


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository.

    Attributes:
        name: Its name in the repository's root.
        size: Its length in bytes.
        sha256: Hexadecimal; empty for a small file, of which the hub knows only the hash of git.
        git: Hexadecimal SHA-1 of git's blob.
    """

    name: str
    size: int
    sha256: str
    git: str


async def describe(hub: Hub, repo: HubRepo) -> tuple[str, list[RemoteFile]]:
    """Ask the hub for the files of a repository, those in folders left out.

    Returns:
        The commit hash of its revision, and the files.

    Raises:
        Refused: The hub is off or unreachable, or has no such repository or revision, or does not
            know the token.
    """
    hub.check()
    return await in_thread(_describe, hub.endpoint, repo)


def _describe(endpoint: str, repo: HubRepo) -> tuple[str, list[RemoteFile]]:
    from huggingface_hub import HfApi

    with _refusals(endpoint, repo):
        info = HfApi(endpoint=endpoint).model_info(
            repo.repo, revision=repo.revision, files_metadata=True, timeout=CONNECT_SECONDS
        )
    files = [
        RemoteFile(
            one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else "", one.blob_id or ""
        )
        for one in info.siblings or []
        if "/" not in one.rfilename
    ]
    return info.sha or repo.revision, files


@contextmanager
def _refusals(endpoint: str, repo: HubRepo) -> Iterator[None]:
    """Turn what `huggingface_hub` raises into `Refused`."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise Refused("gated", "the hub wants its terms accepted") from None
    except errors.RevisionNotFoundError:
        raise Refused("bad_revision", f"the hub has no revision {repo.revision}") from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        reason = f"the hub has no {repo.repo}, or keeps it private"
        raise Refused("not_found", reason) from None
    except errors.HfHubHTTPError as error:
        status, said = error.response.status_code, error.response.headers
        if "invalid credentials" in said.get("X-Error-Message", "").lower():
            raise Refused("bad_token", f"the hub does not know the token ({status})") from None
        if status in (401, 403):
            raise Refused("gated", f"the hub denies access to {repo.repo} ({status})") from None
        raise Refused("network", f"the hub answered with status {status}") from None
    except (errors.OfflineModeIsEnabled, httpx2.ConnectError) as error:
        raise Refused("offline", f"{endpoint} cannot be reached ({error})") from None
    except httpx2.TimeoutException:
        reason = f"{endpoint} did not answer within {CONNECT_SECONDS:g} s"
        raise Refused("offline", reason) from None
    except httpx2.HTTPError as error:
        raise Refused("network", f"{endpoint} broke off ({type(error).__name__})") from None
