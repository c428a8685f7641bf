"""The conformance kit's rules that a voice can break, with each real voice behind our plugin."""

from collections.abc import Iterator

import pytest

import tests.conformance.rules  # noqa: F401 - declares them
from tests.conformance.kit import PluginUnderTest
from tests.conformance.kit.rules import RULES
from tests.conformance.kit.runner import judge
from tests.conformance.servers import Servers, running_servers
from tests.conformance.voices import VOICES

pytestmark = pytest.mark.e2e

CHOSEN = ("tts_every_word_once", "tts_close_in_mid_audio", "tts_unspeakable_text")
"""`make conformance-voices` checks all of them."""

QUICK = [voice for voice in VOICES if voice.name in ("local/hibari", "local/espeak")]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with running_servers() as servers:
        yield servers


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("voice", QUICK, ids=lambda voice: voice.name)
async def test_rule(voice: PluginUnderTest, name: str, servers: Servers) -> None:
    outcome = await judge(RULES[name], voice, servers(voice))
    assert outcome.result == "kept", outcome.detail
