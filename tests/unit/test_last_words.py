import asyncio

import pytest
from livekit.agents import LanguageCode, stt
from livekit.plugins.local.stt import HYPOTHESIS

from agent.call.last_words import LastWords

pytestmark = pytest.mark.unit

INTERIM = stt.SpeechEventType.INTERIM_TRANSCRIPT
FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT
PREFLIGHT = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT


class Model:
    """A language model that judges on demand."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.ready = asyncio.Event()
        self.verdict: float | None = 0.9
        self.able = True
        self.broken = False

    def judge(self, text: str) -> asyncio.Task[float | None] | None:
        self.texts.append(text)
        return asyncio.create_task(self._judge()) if self.able else None

    async def _judge(self) -> float | None:
        await self.ready.wait()
        if self.broken:
            raise RuntimeError("broken")
        return self.verdict


def said(kind: stt.SpeechEventType, text: str) -> stt.SpeechEvent:
    return stt.SpeechEvent(
        type=kind, alternatives=[stt.SpeechData(text=text, language=LanguageCode("en"))]
    )


async def heard(words: LastWords, kind: stt.SpeechEventType, text: str) -> list[object]:
    async with asyncio.timeout(5):
        return [event.type async for event in words.weigh(said(kind, text))]


async def test_announced_words_are_judged_once_and_a_final_waits_for_it() -> None:
    model = Model()
    words = LastWords(model.judge)
    assert await heard(words, PREFLIGHT, "Name an animal.") == [PREFLIGHT]
    final = asyncio.create_task(heard(words, FINAL, "Name an animal."))
    await asyncio.sleep(0)
    assert not final.done()
    model.ready.set()
    assert await final == [FINAL]
    assert words.completeness == 0.9
    assert model.texts == ["Name an animal."]


async def test_what_is_being_said_is_told_with_what_was_said_before() -> None:
    model = Model()
    told: list[str] = []
    words = LastWords(model.judge, told.append)
    model.ready.set()
    await heard(words, FINAL, "Name an animal.")
    interim = said(INTERIM, "that lives")
    words.interim(interim)
    interim.alternatives[0].metadata = {HYPOTHESIS: "that lives in"}
    words.interim(interim)
    words.interim(said(PREFLIGHT, "that lives in the sea."))  # which is judged
    words.interim(stt.SpeechEvent(type=INTERIM))
    assert told == ["Name an animal. that lives", "Name an animal. that lives in"]
    LastWords(model.judge).interim(interim)  # nobody wants to know


async def test_a_final_that_was_not_announced_holds_no_answer_up() -> None:
    model = Model()
    words = LastWords(model.judge)
    events = words.weigh(said(FINAL, "Name an animal."))
    async with asyncio.timeout(5):
        announced = await anext(events)
        assert (announced.type, announced.alternatives[0].text) == (PREFLIGHT, "Name an animal.")
        model.ready.set()
        assert [event.type async for event in events] == [FINAL]
    assert words.completeness == 0.9


async def test_all_words_of_a_turn_count() -> None:
    model = Model()
    model.ready.set()
    words = LastWords(model.judge)
    await heard(words, FINAL, "Name an animal.")
    await heard(words, FINAL, "that swims")
    words.turn_over()
    await heard(words, FINAL, "Thanks.")
    assert model.texts == ["Name an animal.", "Name an animal. that swims", "Thanks."]


async def test_a_model_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.call.last_words._PATIENCE", 0.02)
    model = Model()
    words = LastWords(model.judge)
    assert await heard(words, FINAL, "Name an animal.") == [PREFLIGHT, FINAL]
    assert words.completeness is None
    model.ready.set()


async def test_a_turn_that_ends_before_the_verdict_makes_nobody_deaf() -> None:
    model = Model()
    words = LastWords(model.judge)
    assert await heard(words, PREFLIGHT, "Name an animal.") == [PREFLIGHT]
    final = asyncio.create_task(heard(words, FINAL, "Name an animal."))
    await asyncio.sleep(0)  # now it waits
    words.turn_over()
    model.ready.set()
    assert await final == [FINAL]
    assert words.completeness == 0.9


async def test_a_judge_that_breaks_makes_nobody_deaf(caplog: pytest.LogCaptureFixture) -> None:
    model = Model()
    model.broken = True
    model.ready.set()
    words = LastWords(model.judge)
    assert await heard(words, FINAL, "Name an animal.") == [PREFLIGHT, FINAL]
    assert words.completeness is None
    assert "could not be judged" in caplog.text
    assert "Name an animal" not in caplog.text


@pytest.mark.parametrize("able", [True, False])
async def test_without_a_verdict_nothing_is_known_of_words(able: bool) -> None:
    model = Model()
    model.able, model.verdict = able, None
    model.ready.set()
    words = LastWords(model.judge)
    assert await heard(words, FINAL, "Name an animal.") == ([PREFLIGHT, FINAL] if able else [FINAL])
    assert words.completeness is None


async def test_a_server_that_cannot_judge_changes_nothing() -> None:
    words = LastWords(None)
    assert await heard(words, FINAL, "Name an animal.") == [FINAL]
    assert words.completeness is None


async def test_what_has_no_words_passes() -> None:
    model = Model()
    words = LastWords(model.judge)
    assert await heard(words, FINAL, "") == [FINAL]
    interim = stt.SpeechEventType.INTERIM_TRANSCRIPT
    assert await heard(words, interim, "Name an") == [interim]
    start = stt.SpeechEvent(type=stt.SpeechEventType.START_OF_SPEECH)
    assert [event async for event in words.weigh(start)] == [start]
    assert not model.texts
