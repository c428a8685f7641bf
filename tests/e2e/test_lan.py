"""`eloquence up --lan` on one machine, and a caller on another of the same network."""

import base64
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import Page, async_playwright, expect

from agent.settings import Settings
from tests.support.calls import write_wav
from tests.support.namespaces import Machine, two_machines
from tests.support.speech import CAPITALS, Transcriber
from tests.support.stack import READY_LINE, Stack, launch

pytestmark = pytest.mark.e2e

Say = Callable[[str, str], np.ndarray]

# Run on the other machine: asks once and prints what came, as JSON.
ASK = """
import http.client, json, sys
host, source, method, path, headers = json.loads(sys.argv[1])
connection = http.client.HTTPSConnection(host, 8443, timeout=10, source_address=(source, 0))
try:
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    print(json.dumps({"status": answer.status, "headers": dict(answer.headers), "text": text}))
except OSError as error:
    print(json.dumps({"error": str(error)}))
"""


@dataclass
class Lan:
    """Eloquence on a machine, and the other machine.

    Attributes:
        stack: It, running with ``--lan``.
        home: The machine on which it runs.
        phone: The other one.
        authority: File with the certificate authority that the other one trusts.
        code: The access code that was printed.
        listening: Kind and address of every socket that listened before the first call.
    """

    stack: Stack
    home: Machine
    phone: Machine
    authority: Path
    code: str
    listening: set[tuple[str, str]]

    def on_phone(self, *argv: str, trusting: bool = True, **variables: str) -> str:
        """Run a Python program on the other machine and return what it printed."""
        env = {**os.environ, **variables}
        if trusting:
            env["SSL_CERT_FILE"] = str(self.authority)
        done = subprocess.run(
            [*self.phone.prefix, sys.executable, *argv],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(
        self,
        method: str,
        path: str,
        *,
        client: int = 0,
        trusting: bool = True,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Ask the page's server from the other machine."""
        source = self.phone.addresses[client]
        question = json.dumps([self.home.addresses[0], source, method, path, dict(headers)])
        answer = self.on_phone("-c", ASK, question, trusting=trusting)
        result: dict[str, Any] = json.loads(answer)
        return result


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


def chromium_on(machine: Machine, folder: Path) -> Path:
    """Return a program that runs Chromium on another machine."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is missing; `make test` installs it"
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(machine.prefix)} {chromium} "$@"\n')
    program.chmod(0o755)
    return program


def key_digest(certificate: Path) -> str:
    """Return the digest by which Chromium is told to trust a certificate's key."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(info).digest()).decode()


def listening_on(machine: Machine) -> set[tuple[str, str]]:
    sockets = subprocess.run(
        [*machine.prefix, "ss", "-Hlntu"], capture_output=True, text=True, check=True
    )
    columns = [line.split() for line in sockets.stdout.splitlines()]
    return {(column[0], column[4]) for column in columns}


@pytest.fixture(scope="module")
def lan(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lan]:
    folder = tmp_path_factory.mktemp("lan")
    cache = folder / "cache"
    cache.mkdir()
    for name in ("models", "bin"):
        (cache / name).symlink_to(settings.cache_dir / name)
    with two_machines() as (home, phone):
        stack = launch(
            folder, prefix=home.prefix, options=["--lan"], ELOQUENCE_CACHE_DIR=str(cache)
        )
        try:
            stack.wait_for(READY_LINE)
            code = stack.wait_for("access code  ").split()[-1]
            stack.wait_for(" UDP")
            authority = cache / "lan" / "authority.crt"
            yield Lan(stack, home, phone, authority, code, listening_on(home))
        finally:
            stack.stop()


def test_a_device_that_trusts_the_authority_gets_the_page_over_https(lan: Lan) -> None:
    answer = lan.ask("GET", "/")
    assert answer["status"] == 200
    assert "<title>" in answer["text"]
    assert "wss://10.231.7.1:8443" in answer["headers"]["Content-Security-Policy"]
    assert lan.ask("GET", "/ca.crt")["text"] == lan.authority.read_text()
    assert "certificate verify failed" in lan.ask("GET", "/", trusting=False)["error"]
    assert "Traceback" not in lan.stack.output


def test_nobody_gets_a_token_without_the_code(lan: Lan) -> None:
    wrong = {"Authorization": "Bearer 2345-6789-abcd"}
    for headers in ({}, wrong):
        answer = lan.ask("POST", "/token", client=1, headers=headers)
        assert answer["status"] == 401
        assert "access code" in json.loads(answer["text"])["error"]


def test_who_asks_too_often_is_refused_even_with_the_code(lan: Lan) -> None:
    right = {"Authorization": f"Bearer {lan.code}"}
    answers = [lan.ask("POST", "/token", client=2, headers=right) for _ in range(6)]
    assert [answer["status"] for answer in answers] == [201] * 5 + [429]
    assert int(answers[-1]["headers"]["Retry-After"]) > 0
    assert re.search(r"again in \d+ second", json.loads(answers[-1]["text"])["error"])


def test_a_call_over_the_network_is_answered(
    lan: Lan, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    wav = write_wav(tmp_path / "question.wav", say("What is the capital of France?", "en"))
    lan.on_phone(
        *("-m", "agent", "call", "--wav", str(wav)),
        *("--token-url", "https://10.231.7.1:8443/token"),
        *("--json", str(tmp_path / "report.json"), "--record", str(tmp_path / "answer.wav")),
        LAN_ACCESS_CODE=lan.code,
    )
    (turn,) = json.loads((tmp_path / "report.json").read_text())["turns"]
    assert "Paris" in turn["agent_transcript"]
    heard = transcriber.transcribe(*read_wav(tmp_path / "answer.wav"), "en", about=CAPITALS)
    assert "Paris" in heard


@asynccontextmanager
async def page_on_phone(lan: Lan, folder: Path) -> AsyncIterator[Page]:
    """Open an empty page in Chromium on the other machine, as if the authority were trusted."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_on(lan.phone, folder),
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",
                f"--ignore-certificate-errors-spki-list={key_digest(lan.authority.with_name('certificate.pem'))}",
            ],
        )
        yield await browser.new_page(locale="en-GB")
        await browser.close()


async def test_a_browser_that_types_the_code_is_greeted(lan: Lan, tmp_path: Path) -> None:
    async with page_on_phone(lan, tmp_path) as page:
        await page.goto("https://10.231.7.1:8443/")
        await page.get_by_role("button", name="Call").click()
        code = page.get_by_label("Access code")
        await code.fill(lan.code.upper())
        await code.press("Enter")
        greeting = page.get_by_role("log").get_by_text("Hello")
        await expect(greeting).to_be_visible(timeout=60_000)


async def test_the_link_of_the_qr_code_brings_the_code_along_and_hides_it(
    lan: Lan, tmp_path: Path
) -> None:
    link = lan.stack.wait_for("both in one  ").split()[-1]
    assert lan.code in link
    async with page_on_phone(lan, tmp_path) as page:
        await page.goto(link)
        await expect(page.get_by_role("button", name="Call")).to_be_enabled()
        assert page.url == "https://10.231.7.1:8443/"
        await page.get_by_role("button", name="Call").click()
        greeting = page.get_by_role("log").get_by_text("Hello")
        await expect(greeting).to_be_visible(timeout=60_000)
        await expect(page.get_by_label("Access code")).to_be_hidden()
        assert page.url == "https://10.231.7.1:8443/"


def test_only_the_page_and_the_media_listen_beyond_loopback(lan: Lan) -> None:
    beyond = {(kind, at) for kind, at in lan.listening if not at.startswith("127.0.0.1:")}
    udp = lan.stack.env["LIVEKIT_UDP_PORT"]
    assert beyond == {("tcp", "10.231.7.1:8443"), ("udp", f"10.231.7.1:{udp}")}
    assert "10.231.7.1:8443 TCP" in lan.stack.output
    assert f"10.231.7.1:{udp} UDP" in lan.stack.output
