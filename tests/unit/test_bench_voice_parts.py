"""Capacity, the replayed language model, and the page of `eloquence bench voice`."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from livekit.agents.llm import ChatContext
from openai import AsyncOpenAI
from pydantic import HttpUrl

from agent.bench.processes import service_name
from agent.bench.voice import page as voice_page
from agent.bench.voice import replay_llm
from agent.bench.voice.capacity import MOST_CALLS, Capacity, raise_calls
from agent.bench.voice.figures import BARE, OURS, System
from agent.bench.voice.replay_llm import application, replies
from agent.bench.voice.report import Report, render
from agent.bench.voice.script import questions
from agent.errors import UserError
from agent.llm.vllm import VllmJudge
from agent.receipts.receipt import Receipt, Stage
from agent.settings import Settings
from tests.unit.test_bench_voice import ABOUT, turn

pytestmark = pytest.mark.unit


def test_stages_are_summed_up_and_drawn() -> None:
    def receipt(asked: float) -> Receipt:
        return Receipt(
            turn=1,
            language="en",
            answered=True,
            heard=True,
            begin=-50.0,
            end=900.0,
            stages=(
                Stage("uplink", -50.0, 0.0),
                Stage("stt", 0.0, 500.0),
                Stage("llm", 500.0, 500.0 + asked),
                Stage("output", 500.0 + asked, 900.0),
            ),
        )

    turns = [
        replace(turn("a", 950.0), receipt=receipt(100.0)),
        replace(turn("b", 1500.0), receipt=receipt(300.0)),
        turn("c", None),
    ]
    system = System(turns)
    assert system.stages == {"uplink": 50.0, "stt": 500.0, "llm": 200.0, "output": 200.0}
    assert system.accounted == 0.5  # the second caller waited for longer than that
    assert System([turn("a", 800.0)]).accounted is None
    body = system.to_json()
    assert body["turns"][0]["receipt"]["stages"][1]["name"] == "stt"
    html = voice_page.page(Report(ABOUT, {OURS: system}))
    assert html.count("<rect") == 8


async def test_calls_are_added_until_somebody_waits_for_too_long() -> None:
    found = Capacity(expected=2)

    async def call_all(calls: int) -> System:
        return System([turn("a", 500.0 * calls) for _ in range(calls)])

    await raise_calls(call_all, found)
    assert [step.calls for step in found.steps] == [1, 2, 3]
    assert found.calls == 2
    [*_, last] = render(Report(ABOUT, {OURS: System()}, capacity=found))
    assert last == ("2 simultaneous calls have p95 within 1200 ms; `eloquence doctor` expects 2")


async def test_a_missed_turn_is_too_many_calls_and_so_is_a_great_number() -> None:
    missing, many = Capacity(), Capacity()

    async def miss(_: int) -> System:
        return System([turn("a", 500.0), turn("b", None)])

    async def never_slow(_: int) -> System:
        return System([turn("a", 500.0)])

    await raise_calls(miss, missing)
    assert (missing.calls, len(missing.steps)) == (0, 1)
    await raise_calls(never_slow, many)
    assert many.calls == MOST_CALLS


async def test_recorded_answers_come_token_by_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_llm, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(replay_llm, "TOKEN_SECONDS", 0.001)
    app = application([["Par", "is", "."], ["Rome."]], {})
    async with TestClient(TestServer(app)) as client:
        url = str(client.make_url("/v1"))
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as llm:
            assert [model.id for model in (await llm.models.list()).data] == ["replay"]
            said = []
            for _ in range(3):
                stream = await llm.chat.completions.create(
                    model="replay", messages=[{"role": "user", "content": "?"}], stream=True
                )
                said.append([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert [[piece for piece in pieces if piece] for pieces in said] == [
        ["Par", "is", "."],
        ["Rome."],
        ["Par", "is", "."],
    ]


async def test_a_recorded_verdict_is_that_of_the_nearest_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay_llm, "JUDGED_SECONDS", 0.001)
    recorded = {"Can you name one animal": 0.04, "Can you name one animal in the sea?": 0.97}
    async with TestClient(TestServer(application([["Yes."]], recorded))) as client:
        url = str(client.make_url("/v1"))
        settings = Settings(llm_base_url=HttpUrl(url), llm_model="replay")
        judge = VllmJudge(settings, ChatContext.empty)
        try:
            for said, expected in (
                ("Can you name one animal?", 0.04),
                ("Can you name an animal in the sea?", 0.97),
            ):
                async with asyncio.timeout(5):
                    while (judging := judge.judge(said)) is None:
                        await asyncio.sleep(0.01)
                    assert await judging == pytest.approx(expected)
        finally:
            await judge.aclose()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_all_that_callers_say_has_a_recorded_verdict(language: str) -> None:
    recorded = replay_llm.completeness(language)
    for question in questions()[language]:
        parts = [part.strip() for part in question.split("|")]
        assert recorded[" ".join(parts)] >= 0.5
        assert all(recorded[part] < 0.6 for part in parts[:-1])


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_question_has_a_recorded_answer(language: str) -> None:
    recorded = replies(language)
    assert len(recorded) == len(questions()[language])
    assert all(len("".join(tokens)) > 2 for tokens in recorded)


def test_the_page_shows_every_turn_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    ours = System([turn("a", 800.0), turn("<b>", 1300.0, cut_off=True), turn("c", None)])
    bare = System([turn("a", 2000.0)])
    path = tmp_path / "out.html"
    voice_page.write(Report({**ABOUT, "voice": "<x>"}, {OURS: ours, BARE: bare}), path)
    html = path.read_text()
    assert html.count("<circle") == 3  # a missed turn has no dot
    assert html.count("What?</td>") == 4
    assert "1300, cut off" in html
    assert "missed" in html
    assert "&lt;x&gt;" in html
    assert "http" not in html
    assert "<rect" not in html  # without receipts nothing is known of the stages
    with pytest.raises(UserError, match="Cannot write --report"):
        voice_page.write(Report(ABOUT, {OURS: ours}), tmp_path / "no" / "out.html")


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/usr/bin/python", "-m", "agent", "engine"], "engine"),
        (["/usr/bin/python", "-m", "agent.bench.voice.bare"], "bare"),
        (["/usr/bin/python", "-m", "agent.bench.voice.replay_llm", "8000", "en"], "replay_llm"),
        (["/opt/livekit-server", "--dev"], "livekit-server"),
        ([], ""),
    ],
)
def test_a_service_is_called_as_it_was_started(argv: list[str], name: str) -> None:
    assert service_name(argv) == name
