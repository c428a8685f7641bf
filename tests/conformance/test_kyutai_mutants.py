"""The kit notices Kyutai's plugin when it is broken, at a moshi-server as at the engine."""

import pytest

import tests.conformance.rules  # noqa: F401 - declares them
from tests.conformance.kit import PluginUnderTest, RuleBroken, run_rule
from tests.conformance.kit.rules import RULES
from tests.conformance.moshi_server import fake_moshi_server
from tests.conformance.mutants import Mutant
from tests.conformance.mutants.kyutai import MUTANTS
from tests.conformance.servers import Servers

pytestmark = pytest.mark.conformance

CASES = [
    pytest.param(mutant, rule, id=f"{mutant.kind}-{mutant.name.replace(' ', '-')}-{rule}")
    for mutant in MUTANTS
    for rule in sorted(mutant.breaks)
]


@pytest.mark.parametrize(("mutant", "rule"), CASES)
async def test_mutant(mutant: Mutant, rule: str, servers: Servers) -> None:
    broken = PluginUnderTest(mutant.name, mutant.kind, mutant.make, fake_moshi_server)
    with pytest.raises(RuleBroken):
        await run_rule(RULES[rule], broken, servers(broken))
