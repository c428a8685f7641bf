import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Route, ViewportSize, expect

from tests.browser.conftest import OpenCaller, OpenPage
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
AXE = ROOT / "agent/web/page/node_modules/axe-core/axe.min.js"
ARTIFACTS = ROOT / "tests/.artifacts"

DESKTOP = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)


async def test_it_looks_right_and_is_accessible_on_desktop_and_phone(
    open_caller: OpenCaller,
) -> None:
    caller = await open_caller()
    page = caller.page
    await examine(page, "idle")

    await caller.call()
    await caller.types("What is the capital of Italy?")
    await caller.reads("Rome")
    await caller.hears_the_agent_out()
    await examine(page, "call")

    await caller.hang_up()
    await page.get_by_label("Language").select_option("fr")
    await page.get_by_text("Appareils audio").click()
    await examine(page, "french-devices")


async def test_an_access_code_is_asked_for_and_problems_are_accessible(
    stack: Stack, open_page: OpenPage
) -> None:
    page = await open_page(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
    given: list[str | None] = []

    async def door(route: Route) -> None:
        code = route.request.headers.get("authorization")
        given.append(code)
        status = 429 if code == "Bearer k7mq-2xwp" else 401
        await route.fulfill(status=status, json={"error": "No."})

    await page.route("**/token", door)
    await page.goto(f"{stack.page_url}#code=wrong")
    assert "wrong" not in page.url
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_role("alert")).to_contain_text("access code")
    await expect(page.get_by_label("Access code")).to_be_focused()
    await examine(page, "code")

    await page.keyboard.type("k7mq-2xwp")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Too many calls")
    await expect(page.get_by_label("Access code")).to_be_hidden()
    assert given == ["Bearer wrong", "Bearer k7mq-2xwp"]


async def test_everything_can_be_reached_with_the_keyboard_in_order(
    open_caller: OpenCaller,
) -> None:
    caller = await open_caller()
    reached = []
    for _ in range(4):
        await caller.page.keyboard.press("Tab")
        reached.append(await caller.page.evaluate("document.activeElement.id"))
    # The third is the summary that unfolds the devices.
    assert reached == ["language", "call-button", "", "lines"]
    await caller.page.locator("#call-button").focus()
    await caller.page.keyboard.press("Enter")
    await expect(caller.page.get_by_role("button", name="Hang up")).to_be_focused()
    await caller.page.keyboard.press("Tab")
    await expect(caller.mute_button).to_be_focused()
    await caller.page.keyboard.press("Space")
    await expect(caller.mute_button).to_have_attribute("aria-pressed", "true")


async def examine(page: Page, name: str) -> None:
    """Photograph the page in both sizes and let axe look at it in both colour schemes."""
    ARTIFACTS.mkdir(exist_ok=True)
    await page.evaluate(AXE.read_text())
    for label, size in (("desktop", DESKTOP), ("phone", PHONE)):
        await page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.screenshot(path=ARTIFACTS / f"{name}-{label}-{scheme}.png")
            violations: list[dict[str, Any]] = await page.evaluate(
                "async () => (await axe.run()).violations"
            )
            found = [(each["id"], [node["html"] for node in each["nodes"]]) for each in violations]
            assert found == [], f"{name}, {label}, {scheme}: {json.dumps(found, indent=1)}"
        width: int = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{name} must be scrolled sideways on a {label}"
        for control in ("#call-button", "#status", "#message"):
            await expect(page.locator(control)).to_be_in_viewport(ratio=1)
