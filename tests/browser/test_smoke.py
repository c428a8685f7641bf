import gzip
import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.async_api import Response, expect

from tests.browser.conftest import OpenPage
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

# Long enough for the agent to join and greet before the question is asked.
LEAD_IN_SECONDS = 15.0
PATIENCE_MS = 90_000
AUDIBLE_RMS = 0.01
MAX_PAGE_BYTES = 250_000

START_METER = """
() => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  const voice = document.getElementById("agent-audio").srcObject;
  context.createMediaStreamSource(voice).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  window.loudest = 0;
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    window.loudest = Math.max(window.loudest, Math.sqrt(power));
  }, 50);
}
"""


async def test_a_call_from_the_page(
    stack: Stack,
    say: Callable[[str, str], np.ndarray],
    microphone_flags: Callable[[np.ndarray, float], list[str]],
    open_page: OpenPage,
) -> None:
    question = say("What is the capital of France?", "en")
    page = await open_page(microphone_flags(question, LEAD_IN_SECONDS))
    await page.goto(stack.page_url)
    await page.get_by_role("button", name="Call").click()

    log = page.get_by_role("log", name="Transcript")
    agent, user = log.locator(".agent .text"), log.locator(".user:not([aria-busy=true]) .text")
    await expect(agent.first).to_be_visible(timeout=PATIENCE_MS)
    await page.evaluate(START_METER)
    await expect(user.first).to_contain_text(re.compile("capital", re.I), timeout=PATIENCE_MS)
    await expect(agent.filter(has_text="Paris").first).to_be_visible(timeout=PATIENCE_MS)
    assert await page.evaluate("window.loudest") > AUDIBLE_RMS

    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_role("button", name="Call")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_text("Ready when you are")
    await expect(page.get_by_role("alert")).to_be_hidden()
    assert await page.evaluate("document.getElementById('agent-audio').srcObject") is None


async def test_the_page_is_small_and_comes_from_one_place(
    stack: Stack, open_page: OpenPage
) -> None:
    page = await open_page([])
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    async with page.expect_response("**/readyz?watch"):
        await page.goto(stack.page_url, wait_until="load")
    # What is told as it happens has no end.
    responses = [response for response in responses if not response.url.endswith("/readyz?watch")]

    assert len(responses) >= 3
    assert all(response.url.startswith(stack.page_url.rstrip("/")) for response in responses)
    assert all(response.ok for response in responses)
    size = sum([len(gzip.compress(await response.body())) for response in responses])
    assert size <= MAX_PAGE_BYTES
