"""A real Prometheus that asks a running stack, with the project's own configuration."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docker" / "prometheus"
_UNPACKED = ROOT / ".prometheus" / "usr" / "bin" / "prometheus"
_SECOND = "1s"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    async def up(self) -> dict[str, str]:
        """Return which jobs answered the latest scrape: ``1`` or ``0`` by name."""
        return {each["metric"]["job"]: each["value"][1] for each in await self.query("up")}

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression gives now."""
        result: list[dict[str, Any]] = (await self._get("query", query=expression))["result"]
        return result

    async def rules(self) -> list[dict[str, Any]]:
        """Return the alert rules and how their evaluation went."""
        groups = (await self._get("rules"))["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def _get(self, what: str, **parameters: str) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/{what}", params=parameters) as answer,
        ):
            body = await answer.json()
            assert answer.status == 200, (parameters, body)
            data: dict[str, Any] = body["data"]
            return data

    async def waits_for(self, jobs: set[str], seconds: float = 30) -> None:
        """Wait until these jobs have been scraped."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if {name for name, up in (await self.up()).items() if up == "1"} >= jobs:
                        return
                except aiohttp.ClientConnectionError:
                    pass  # it has just been started
                await asyncio.sleep(0.2)


@contextmanager
def run_prometheus(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run Prometheus with the project's files, asking every second.

    Args:
        folder: Where it may write.
        targets: Where each job of ``prometheus.yml`` is asked; the others are left out.
    """
    program = shutil.which("prometheus") or str(_UNPACKED)
    assert Path(program).is_file(), "Prometheus is missing; `make test` fetches it"
    config = yaml.safe_load((FILES / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": _SECOND, "evaluation_interval": _SECOND}
    config["rule_files"] = [str(FILES / name) for name in config["rule_files"]]
    config["scrape_configs"] = [
        {**job, "static_configs": [{"targets": [targets[job["job_name"]]]}]}
        for job in config["scrape_configs"]
        if job["job_name"] in targets
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    arguments = [
        program,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/prometheus",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        process.wait(10)
