"""Every rule notices the plugin that breaks it, and the others do not complain."""

import pytest

import tests.conformance.rules  # noqa: F401 - declares them
from tests.conformance.engine_server import engine_server
from tests.conformance.kit import PluginUnderTest, RuleBroken, run_rule
from tests.conformance.kit.rules import RULES
from tests.conformance.mutants import MUTANTS, Mutant
from tests.conformance.servers import Servers

pytestmark = pytest.mark.conformance

SENTINELS = {
    "tts": (
        "tts_no_text",
        "tts_unspeakable_text",
        "tts_every_word_once",
        "tts_odd_bytes",
        "tts_one_segment",
        "tts_bytes_only",
        "tts_metrics_once",
        "tts_refused_for_good",
        "tts_failure_before_audio",
        "tts_close_in_mid_audio",
    ),
    "stt": (
        "stt_one_final_each",
        "stt_end_of_input_gives_final",
        "stt_flush_without_audio",
        "stt_flushes_in_a_row",
        "stt_stereo",
        "stt_noise",
        "stt_no_audio",
        "stt_times_in_seconds",
        "stt_reset_amid_utterance",
        "stt_refusal_is_final",
    ),
}


def plugin(mutant: Mutant) -> PluginUnderTest:
    return PluginUnderTest(mutant.name, mutant.kind, mutant.make, engine_server, mutant.change)


CASES = [
    pytest.param(mutant, id=f"{mutant.kind}-{mutant.name.replace(' ', '-')}") for mutant in MUTANTS
]


@pytest.mark.parametrize("mutant", CASES)
async def test_mutant(mutant: Mutant, servers: Servers) -> None:
    broken = plugin(mutant)
    server = servers(broken)
    for name in sorted(mutant.breaks):
        with pytest.raises(RuleBroken):
            await run_rule(RULES[name], broken, server)
    for name in SENTINELS[mutant.kind]:
        if name not in mutant.breaks | mutant.may_break:
            await run_rule(RULES[name], broken, server)


def test_every_rule_has_its_mutant() -> None:
    noticed = {name for mutant in MUTANTS for name in mutant.breaks}
    assert noticed == set(RULES), f"without a mutant: {sorted(set(RULES) - noticed)}"
