"""Each thing that can go wrong is told in one sentence, and the next call is one press away."""

import secrets
from datetime import timedelta

import pytest
from livekit import api
from playwright.async_api import Page, Request, Route, expect

from tests.browser.caller import MICROPHONE_FLAGS, Caller
from tests.browser.conftest import OpenPage
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

NO_MICROPHONE = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotFoundError"); };
"""
AGENT_PATIENCE_MS = 15_000


async def test_a_refused_microphone_is_explained(stack: Stack, open_page: OpenPage) -> None:
    page = await open_page(["--use-fake-device-for-media-stream"])
    # Granting a list of permissions denies all that are not in it.
    await page.context.grant_permissions([], origin=stack.page_url)
    asked = requests_for_tokens(page)
    await page.goto(stack.page_url)
    await page.get_by_role("button", name="Call").click()
    await problem(page, "The microphone was refused")
    assert asked == [], "a call without a microphone must not open a room"


async def test_a_missing_microphone_is_explained(stack: Stack, open_page: OpenPage) -> None:
    page = await open_page([])
    await page.add_init_script(NO_MICROPHONE)
    await page.goto(stack.page_url)
    await page.get_by_role("button", name="Call").click()
    await problem(page, "No microphone was found")


async def test_a_call_that_no_agent_takes_is_given_up(stack: Stack, open_page: OpenPage) -> None:
    page = await page_with_token(stack, open_page, timedelta(minutes=1))
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_role("status")).to_have_text("Waiting for the agent…")
    await problem(page, "No agent answered within 10 seconds")


async def test_an_expired_token_is_explained(stack: Stack, open_page: OpenPage) -> None:
    page = await page_with_token(stack, open_page, timedelta(hours=-1))
    await page.get_by_role("button", name="Call").click()
    await problem(page, "The permission for this call is not valid any more")


async def test_a_call_that_cannot_be_rejoined_is_over(stack: Stack, open_page: OpenPage) -> None:
    page = await open_page(MICROPHONE_FLAGS)
    await page.goto(stack.page_url)
    await page.evaluate(
        "sessionStorage.setItem('eloquence.call',"
        " JSON.stringify({ token: 'foreign', muted: false, lines: [] }))"
    )
    await page.reload()
    await problem(page, "The call is over")
    # It is not tried again for ever.
    await page.reload()
    await expect(page.get_by_role("status")).to_have_text("Ready when you are")
    await expect(page.get_by_role("alert")).to_be_hidden()


async def problem(page: Page, sentence: str) -> None:
    await expect(page.get_by_role("alert")).to_contain_text(sentence, timeout=AGENT_PATIENCE_MS)
    await expect(page.get_by_role("button", name="Call")).to_be_visible()
    await expect(Caller(page).mute_button).to_be_disabled()


async def page_with_token(stack: Stack, open_page: OpenPage, lifetime: timedelta) -> Page:
    """Open a page whose server hands out a token of that lifetime and calls no agent."""
    env = stack.worker_env
    grants = api.VideoGrants(room_join=True, room=f"lonely-{secrets.token_hex(4)}")
    token = (
        api.AccessToken(env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"])
        .with_identity("someone")
        .with_grants(grants)
        .with_ttl(lifetime)
        .to_jwt()
    )

    async def answer(route: Route) -> None:
        await route.fulfill(
            status=201, json={"server_url": env["LIVEKIT_URL"], "participant_token": token}
        )

    page = await open_page(MICROPHONE_FLAGS)
    await page.route("**/token", answer)
    await page.goto(stack.page_url)
    return page


def requests_for_tokens(page: Page) -> list[str]:
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/token"):
            asked.append(request.url)

    page.on("request", note)
    return asked
