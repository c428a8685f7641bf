"""The rule about timed transcripts lets a voice pass that times its text rightly."""

import pytest

import tests.conformance.rules  # noqa: F401 - declares them
from tests.conformance.engine_server import engine_server
from tests.conformance.kit import PluginUnderTest, run_rule
from tests.conformance.kit.rules import RULES
from tests.conformance.mutants.tts_transcripts import TimedVoice, timed_by
from tests.conformance.servers import Servers

pytestmark = pytest.mark.conformance


async def test_clauses_with_their_times_are_as_they_should_be(servers: Servers) -> None:
    plugin = PluginUnderTest("captions", "tts", timed_by(TimedVoice), engine_server)
    await run_rule(RULES["tts_timed_transcripts"], plugin, servers(plugin))
