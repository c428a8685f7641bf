import asyncio
import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.async_api import expect

from tests.browser.caller import PATIENCE_MS
from tests.browser.conftest import OpenCaller
from tests.browser.rooms import open_rooms, room_of
from tests.browser.test_appearance import examine
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

Say = Callable[[str, str], np.ndarray]

DEADLINE_SECONDS = 30.0
ORDER = "[...document.querySelectorAll('#lines > *')].map(({ classList }) => [...classList].at(-1))"


async def test_a_conversation_in_english_and_in_french(
    stack: Stack, say: Say, open_caller: OpenCaller
) -> None:
    caller = await open_caller()
    await caller.call()
    await expect(caller.agent_lines.first).to_contain_text("Hello")

    speaking = asyncio.create_task(
        caller.says(say("What is, in your opinion, the capital of France?", "en"))
    )
    await caller.sees_level_above("own-level", 0.1)
    await expect(caller.interim_lines.first).to_have_text(re.compile(r"\w"), timeout=PATIENCE_MS)
    await speaking
    await expect(caller.user_lines).to_have_count(1, timeout=PATIENCE_MS)
    await expect(caller.user_lines).to_contain_text("capital of France")
    await expect(caller.interim_lines).to_have_count(0)
    await caller.sees_level_above("agent-level", 0.1)
    await caller.reads("Paris")
    await caller.hears_the_agent_out()
    # How long that took stands between question and answer.
    await expect(caller.receipts).to_have_count(1, timeout=PATIENCE_MS)
    await expect(caller.receipts).to_contain_text(re.compile(r"Answered in \d+\.\d\d s"))
    assert await caller.page.evaluate(ORDER) == ["agent", "user", "receipt", "agent"]

    await caller.page.get_by_label("Language").select_option("fr")
    await expect(caller.status).to_have_text("À l'écoute")
    await caller.says(say("Quelle est la capitale de l'Espagne ?", "fr"))
    await caller.reads("Madrid")
    await expect(caller.user_lines.last).to_contain_text("Espagne")
    await caller.hears_the_agent_out()
    await expect(caller.receipts).to_have_count(2, timeout=PATIENCE_MS)
    await expect(caller.receipts.first).to_contain_text(re.compile(r"Réponse en \d+,\d\d s"))
    await caller.receipts.last.locator("summary").click()
    stages = caller.receipts.last.locator("dt")
    # The first and the last are known by what the page has heard itself.
    await expect(stages.first).to_have_text("Trajet aller")
    await expect(stages.last).to_have_text("Trajet retour")
    await examine(caller.page, "receipt")

    room = room_of(await caller.token())
    await caller.page.get_by_role("button", name="Raccrocher").click()
    await expect(caller.status).to_have_text("Prêt quand vous l'êtes")
    async with open_rooms(stack) as rooms, asyncio.timeout(DEADLINE_SECONDS):
        while await rooms.identities(room):
            await asyncio.sleep(0.1)

    # The choice holds for the next visit, and the agent greets in it.
    await caller.page.reload()
    await expect(caller.status).to_have_text("Prêt quand vous l'êtes")
    await caller.call()
    await expect(caller.agent_lines.first).to_contain_text("Bonjour")


async def test_a_typed_message_is_answered_and_a_muted_caller_is_not_heard(
    say: Say, open_caller: OpenCaller
) -> None:
    caller = await open_caller()
    await caller.call()
    await caller.types("What is the capital of Italy?")
    await expect(caller.user_lines).to_have_text(["What is the capital of Italy?"])
    await caller.reads("Rome")
    await caller.hears_the_agent_out()

    await caller.mute_button.click()
    await expect(caller.mute_button).to_have_attribute("aria-pressed", "true")
    await caller.says(say("What is the capital of France?", "en"))
    assert await caller.level("own-level") == 0

    await caller.mute_button.click()
    await expect(caller.mute_button).to_have_attribute("aria-pressed", "false")
    await caller.says(say("What is the capital of Germany?", "en"))
    await caller.reads("Berlin")
    # Whatever was said before this line would stand before it.
    await expect(caller.user_lines).to_have_count(2)
    await expect(caller.user_lines.last).to_contain_text("Germany")


async def test_another_microphone_is_chosen_heard_and_remembered(
    say: Say, open_caller: OpenCaller
) -> None:
    caller = await open_caller()
    await caller.call()
    await caller.page.get_by_text("Audio devices").click()
    choice = caller.page.get_by_label("Microphone")
    names = await choice.locator("option").all_text_contents()
    assert names[0] == "System default"
    assert len(names) >= 2, "Chromium has fake devices by name"
    await choice.select_option(names[-1])
    chosen = await choice.input_value()
    await caller.page.wait_for_function("id => devicesAsked.at(-1) === id", arg=chosen)
    await expect(caller.page.get_by_label("Speaker")).to_be_visible()
    speaking = asyncio.create_task(caller.says(say("What is the capital of France?", "en")))
    await caller.sees_level_above("own-level", 0.1)
    await speaking
    await caller.reads("Paris")

    await caller.hang_up()
    await caller.page.reload()
    await caller.call()
    assert await caller.page.evaluate("devicesAsked") == [chosen]
