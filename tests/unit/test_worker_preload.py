"""What would hold up a call is there before it: in the process that job processes are copies of."""

import subprocess
import sys

import pytest

from agent.settings import Settings
from agent.worker.server import build_server

pytestmark = pytest.mark.unit

PROGRAM = """
import importlib, ssl, sys
importlib.import_module(sys.argv[1])

def again(*_, **__):
    raise AssertionError("read or built again")

from livekit.agents.tokenize import _basic_hyphenator, basic
from livekit.agents.utils import http_context
from agent.llm.client import open_client
from agent.settings import Settings
_basic_hyphenator.Hyphenator = ssl.create_default_context = again
assert basic.hyphenate_word("elephant") == ["ele", "phant"]
http_context._create_ssl_context()
open_client(Settings(), timeout=1.0)
"""


def test_nothing_is_read_or_built_again() -> None:
    secret = {"livekit_api_key": "key", "livekit_api_secret": "s" * 32}
    settings = Settings.model_validate({"livekit_url": "ws://127.0.0.1:1", **secret})
    (module,) = build_server(settings, lambda: 0.0)._preload_modules
    subprocess.run([sys.executable, "-c", PROGRAM, module], check=True, timeout=60)
