"""What a caller goes through when something breaks in mid-call."""

import asyncio
import contextlib
import re
from collections.abc import Callable

import numpy as np
import psutil
import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.browser.caller import PATIENCE_MS
from tests.browser.conftest import OpenCaller
from tests.browser.rooms import open_rooms, room_of
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

Say = Callable[[str, str], np.ndarray]

CUT_SECONDS = 5.0
# From the range that programs may use; 1000 would say that all is well.
CLOSE_CODE = 4000


async def test_a_reloaded_page_goes_on_with_the_call(
    stack: Stack, say: Say, open_caller: OpenCaller
) -> None:
    caller = await open_caller()
    await caller.call()
    await caller.types("My name is Julia.")
    await expect(caller.agent_lines).to_have_count(2, timeout=PATIENCE_MS)
    await caller.hears_the_agent_out()
    room = room_of(await caller.token())

    async with open_rooms(stack) as rooms:
        before = await rooms.identities(room)
        await caller.page.reload()
        await caller.hears_the_agent_out()
        assert sorted(await rooms.identities(room)) == sorted(before)
    assert room_of(await caller.token()) == room
    await expect(caller.agent_lines).to_have_count(2)
    await expect(caller.user_lines).to_have_text(["My name is Julia."])

    await caller.says(say("What is my name?", "en"))
    await caller.reads("Julia")


async def test_a_muted_caller_is_still_muted_after_a_reload(open_caller: OpenCaller) -> None:
    caller = await open_caller()
    await caller.call()
    await caller.mute_button.click()
    await caller.page.reload()
    await caller.hears_the_agent_out()
    await expect(caller.mute_button).to_have_attribute("aria-pressed", "true")
    await caller.says(np.full(48_000, 8_000, np.int16))
    assert await caller.level("own-level") == 0


async def test_a_network_that_is_cut_for_five_seconds_does_not_end_the_call(
    stack: Stack, say: Say, open_caller: OpenCaller
) -> None:
    caller = await open_caller()
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    await caller.page.route_web_socket(re.compile("/rtc/"), pass_on)
    await caller.call()
    room = room_of(await caller.token())

    # A server that stands still looks from the page like one that cannot be reached.
    server = process_of(stack, lambda each: each.name().startswith("livekit-server"))
    server.suspend()
    try:
        await sockets[-1].close(code=CLOSE_CODE)
        await expect(caller.status).to_contain_text("Reconnecting")
        await asyncio.sleep(CUT_SECONDS)
        await expect(caller.status).to_contain_text("Reconnecting")
    finally:
        server.resume()

    await caller.hears_the_agent_out()
    assert room_of(await caller.token()) == room
    await caller.says(say("What is the capital of France?", "en"))
    await caller.reads("Paris")


async def test_an_agent_whose_worker_is_killed_is_missed_until_it_comes_back(
    stack: Stack, open_caller: OpenCaller
) -> None:
    caller = await open_caller()
    await caller.call()
    await caller.types("My name is Julia.")
    await expect(caller.agent_lines).to_have_count(2, timeout=PATIENCE_MS)
    await caller.hears_the_agent_out()
    worker = process_of(stack, lambda each: each.cmdline()[-1:] == ["worker"])
    for each in [worker, *worker.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):  # it did not outlive the worker
            each.kill()
    await expect(caller.status).to_contain_text("The agent was lost")
    await expect(caller.page.locator("#message")).to_be_disabled()
    await caller.hears_the_agent_out()
    await expect(caller.agent_lines).to_have_count(2)
    await caller.types("What is my name?")
    await expect(caller.agent_lines).to_have_count(3, timeout=PATIENCE_MS)
    await expect(caller.agent_lines.last).to_contain_text("Julia", timeout=PATIENCE_MS)


def process_of(stack: Stack, wanted: Callable[[psutil.Process], bool]) -> psutil.Process:
    (found,) = filter(wanted, psutil.Process(stack.process.pid).children())
    return found
