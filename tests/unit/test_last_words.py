import asyncio

import pytest
from livekit.agents import LanguageCode, stt

from agent.call.last_words import LastWords

pytestmark = pytest.mark.unit

FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT
PREFLIGHT = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT


class Model:
    """A language model that judges on demand."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.ready = asyncio.Event()
        self.verdict: float | None = 0.9
        self.able = True

    def judge(self, text: str) -> asyncio.Task[float | None] | None:
        self.texts.append(text)
        return asyncio.create_task(self._judge()) if self.able else None

    async def _judge(self) -> float | None:
        await self.ready.wait()
        return self.verdict


def said(kind: stt.SpeechEventType, text: str) -> stt.SpeechEvent:
    return stt.SpeechEvent(
        type=kind, alternatives=[stt.SpeechData(text=text, language=LanguageCode("en"))]
    )


async def test_announced_words_are_judged_once_and_a_final_waits_for_it() -> None:
    model = Model()
    words = LastWords(model.judge)
    assert words.begin(said(PREFLIGHT, "Name an animal."))
    assert not words.begin(said(FINAL, "Name an animal."))
    concluding = asyncio.create_task(words.conclude(said(FINAL, "Name an animal.")))
    await asyncio.sleep(0)
    assert not concluding.done()
    model.ready.set()
    async with asyncio.timeout(5):
        await concluding
    assert words.completeness == 0.9
    assert model.texts == ["Name an animal."]


async def test_all_words_of_a_turn_count() -> None:
    model = Model()
    model.ready.set()
    words = LastWords(model.judge)
    assert words.begin(said(FINAL, "Name an animal."))  # it was not announced
    await words.conclude(said(FINAL, "Name an animal."))
    words.begin(said(FINAL, "that swims"))
    await words.conclude(said(FINAL, "that swims"))
    words.turn_over()
    words.begin(said(FINAL, "Thanks."))
    await words.conclude(said(FINAL, "Thanks."))
    assert model.texts == ["Name an animal.", "Name an animal. that swims", "Thanks."]


async def test_a_model_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.call.last_words._PATIENCE", 0.02)
    model = Model()
    words = LastWords(model.judge)
    words.begin(said(FINAL, "Name an animal."))
    async with asyncio.timeout(5):
        await words.conclude(said(FINAL, "Name an animal."))
    assert words.completeness is None
    model.ready.set()


@pytest.mark.parametrize("able", [True, False])
async def test_without_a_verdict_nothing_is_known_of_words(able: bool) -> None:
    model = Model()
    model.able, model.verdict = able, None
    model.ready.set()
    words = LastWords(model.judge)
    assert words.begin(said(FINAL, "Name an animal.")) is able
    await words.conclude(said(FINAL, "Name an animal."))
    assert words.completeness is None


async def test_a_server_that_cannot_judge_holds_nothing_up() -> None:
    words = LastWords(None)
    assert not words.begin(said(FINAL, "Name an animal."))
    await words.conclude(said(FINAL, "Name an animal."))
    assert words.completeness is None
