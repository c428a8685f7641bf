"""A call's first question finds the language model's library loaded."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit


def test_asking_imports_nothing_more_of_the_library() -> None:
    code = (
        "import sys; from agent.llm.client import open_client; "
        "from agent.settings import Settings; "
        "client = open_client(Settings(), timeout=1.0); before = set(sys.modules); "
        "client.chat.completions.create, client.chat.completions.with_raw_response.create; "
        "late = {name for name in set(sys.modules) - before if name.startswith('openai.')}; "
        "assert not late, late"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
