"""The model behind the estimate, and what is advised from it."""

from dataclasses import replace

import pytest

from agent.doctor.advice import advise, figures_of
from agent.doctor.capacity import Assumptions, Figures, Placement, estimate
from agent.doctor.finding import Finding, ok
from tests.support.doctor import settings

pytestmark = pytest.mark.unit

FAST = Figures(
    decode_seconds=0.1,
    voice_first_seconds=0.05,
    voice_rtf=0.02,
    llm_first_seconds=0.1,
    llm_tokens_per_second=100.0,
)


def test_a_single_turn_waits_for_nobody() -> None:
    alone = estimate(FAST).latencies[0]
    assert alone == pytest.approx(0.35 + 0.1 + 0.1 + 8 / 100 + 0.05)
    assert alone == pytest.approx(sum(estimate(FAST).parts.values()))


def test_with_two_calls_a_turn_finds_the_queue_that_one_call_makes() -> None:
    assumed = Assumptions(think=9.0, decodes=1.0, requests=1.0, reply_tokens=60.0)
    # A turn needs 0.1 + 0.7 + 0.1 s of the cores: one call alone occupies them 0.9 s of 9.9 s.
    found = estimate(FAST, assumed=assumed, budget=100.0, most=2)
    assert found.latencies[1] - found.latencies[0] == pytest.approx(0.9 * 0.9 / 9.9)


def test_latency_grows_with_calls_and_the_capacity_is_the_last_within_the_budget() -> None:
    found = estimate(FAST)
    assert list(found.latencies) == sorted(found.latencies)
    assert found.calls == len(found.latencies) - 1
    assert found.latencies[found.calls - 1] <= found.budget < found.latencies[found.calls]


@pytest.mark.parametrize(
    "worse",
    [
        {"decode_seconds": 0.3},
        {"voice_rtf": 0.5},
        {"llm_first_seconds": 0.4},
        {"llm_tokens_per_second": 20.0},
    ],
)
def test_whatever_is_slower_costs_calls(worse: dict[str, float]) -> None:
    assert estimate(replace(FAST, **worse)).calls < estimate(FAST).calls


def test_parts_that_share_no_cores_take_more_calls() -> None:
    together = estimate(FAST).calls
    llm_apart = estimate(FAST, Placement(llm_apart=True)).calls
    all_apart = estimate(FAST, Placement(llm_apart=True, ears_apart=True)).calls
    assert together < llm_apart < all_apart


def test_a_machine_too_slow_for_one_call_takes_none() -> None:
    found = estimate(replace(FAST, llm_first_seconds=2.0))
    assert found.calls == 0
    assert len(found.latencies) == 1
    assert found.slowest == "language model"


def findings(**more: float) -> dict[str, Finding]:
    speech = ok("", decode_seconds=0.1, voice_first_seconds=0.05, voice_rtf=0.02)
    llm = ok("", llm_first_seconds=0.1, llm_tokens_per_second=100.0)
    return {"speech": speech, "llm speed": llm, "gpu": ok("", **more)}


def test_figures_come_from_the_findings() -> None:
    assert figures_of(findings()) == FAST
    assert figures_of({"gpu": ok("")}) is None


def test_the_settings_to_use_follow_from_the_estimate() -> None:
    advice = advise(settings(), findings())
    assert advice
    assert advice.settings == {
        "MAX_CALLS": str(estimate(FAST).calls),
        "STT_MODEL": "whisper-base",
    }
    with_gpu = advise(settings(), findings(gpu_used=1.0))
    assert with_gpu
    assert with_gpu.settings["PROFILE"] == "gpu"
    assert int(with_gpu.settings["MAX_CALLS"]) >= int(advice.settings["MAX_CALLS"])


def test_without_measurements_there_is_no_advice() -> None:
    assert advise(settings(), {}) is None
