"""The recorder of one call: one receipt for each turn, whatever the caller sends."""

import asyncio
import json
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.llm import ChatMessage

from agent.receipts import recorder as recording
from agent.receipts.budget import budget_of
from agent.receipts.receipt import RECEIPTS_LOGGER
from agent.receipts.recorder import Recorder
from agent.receipts.reports import CLOCK_METHOD, EAR_TOPIC
from agent.settings import Settings

pytestmark = pytest.mark.unit

AHEAD_MS = 7e6
"""By how much the caller's clock is ahead."""


class Emitter:
    """As much of the framework's emitters as is used."""

    def __init__(self) -> None:
        self.listeners: dict[str, Callable[..., None]] = {}

    def on(self, event: str, listener: Callable[..., None]) -> None:
        self.listeners[event] = listener

    def emit(self, event: str, *arguments: object) -> None:
        self.listeners[event](*arguments)


class Room(Emitter):
    """A room with a caller who answers the question for its clock, or cannot."""

    def __init__(self, clock: Callable[[], str] | None) -> None:
        super().__init__()
        self.local_participant = self
        self.sent: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self._clock = clock

    def isconnected(self) -> bool:
        return True

    async def perform_rpc(self, *, destination_identity: str, method: str, **_: object) -> str:
        assert (destination_identity, method) == ("caller", CLOCK_METHOD)
        try:
            if self._clock is None:
                raise rtc.RpcError(rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD, "cannot")
            return self._clock()
        finally:
            asyncio.get_running_loop().call_soon(self.asked.set)

    async def publish_data(self, payload: str, *, topic: str) -> None:
        assert topic == "eloquence.receipt"
        self.sent.append(json.loads(payload))


class Call:
    """A call whose turns the test goes through."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.session = Emitter()
        self.audio = Emitter()
        self.recorder = Recorder(budget_of(Settings()), lambda: "en")

    async def begin(self) -> None:
        session = SimpleNamespace(
            on=self.session.on,
            output=SimpleNamespace(audio=self.audio),
            room_io=SimpleNamespace(linked_participant=SimpleNamespace(identity="caller")),
        )
        self.recorder.follow(cast("AgentSession[None]", session), cast("rtc.Room", self.room))
        await asyncio.wait_for(self.room.asked.wait(), 5)
        await asyncio.sleep(0)

    def answers(self, message: str) -> None:
        """Decide a turn and play its answer."""
        observer = self.recorder.observer
        self.recorder.turn_decided(ChatMessage(role="user", content=["Hello?"], id=message))
        reply = observer.asked(message)
        observer.wrote(reply, "Hello.")
        observer.given("Hello.", observer.opened())
        observer.audio(reply)
        self.audio.emit("playback_started", None)

    def reports(self, data: bytes, identity: str = "caller", topic: str = EAR_TOPIC) -> None:
        sender = SimpleNamespace(identity=identity)
        packet = SimpleNamespace(topic=topic, data=data, participant=sender)
        self.room.emit("data_received", packet)

    def hears(self, **changed: Any) -> None:
        """Report that the answer was heard just now."""
        at = self.recorder.observer.opened() * 1000 + AHEAD_MS
        self.reports(json.dumps({"heard": at}).encode(), **changed)


def clock(call: "list[Call]") -> str:
    now = call[0].recorder.observer.opened() * 1000 + AHEAD_MS
    return json.dumps({"received": now, "sent": now})


async def call_with_clock() -> Call:
    made: list[Call] = []
    made.append(Call(Room(lambda: clock(made))))
    await made[0].begin()
    return made[0]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    caplog.set_level(logging.INFO, RECEIPTS_LOGGER)
    return lambda: [vars(each) for each in caplog.records if each.name == RECEIPTS_LOGGER]


async def test_a_turn_that_was_heard_is_told_to_room_and_log_at_once(
    logged: Callable[[], list[dict[str, Any]]],
) -> None:
    call = await call_with_clock()
    call.answers("one")
    assert logged() == []
    call.hears()
    (line,) = logged()
    assert line["receipt"]["heard"]
    assert "ignored" not in line
    call.hears()  # the next sentence of the answer
    await call.recorder.aclose()
    assert call.room.sent == [line["receipt"]]


async def test_a_caller_who_reports_nothing_is_not_waited_for(
    logged: Callable[[], list[dict[str, Any]]],
) -> None:
    call = Call(Room(None))
    await call.begin()
    call.answers("one")
    (line,) = logged()
    assert not line["receipt"]["heard"]
    assert line["receipt"]["answered"]
    await call.recorder.aclose()


async def test_every_turn_has_exactly_one_receipt_however_it_ends(
    logged: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_REPORT_SECONDS", 0.05)
    call = await call_with_clock()
    call.answers("heard in time")
    call.hears()
    call.answers("never heard")
    async with asyncio.timeout(5):
        while len(logged()) < 2:
            await asyncio.sleep(0.01)
    call.hears()  # too late
    call.answers("interrupted by the next turn")
    call.recorder.turn_decided(ChatMessage(role="user", content=["And?"], id="unanswered"))
    call.session.emit("close", None)
    await call.recorder.aclose()
    receipts = [line["receipt"] for line in logged()]
    assert [each["turn"] for each in receipts] == [1, 2, 3, 4]
    assert [each["heard"] for each in receipts] == [True, False, False, False]
    assert [each["answered"] for each in receipts] == [True, True, True, False]
    assert logged()[2]["ignored"] == {"late": 1}


async def test_reports_of_others_are_not_the_callers(
    logged: Callable[[], list[dict[str, Any]]],
) -> None:
    call = await call_with_clock()
    call.answers("one")
    call.hears(identity="listener")
    call.hears(topic="lk.chat")
    assert logged() == []
    await call.recorder.aclose()
    assert not logged()[0]["receipt"]["heard"]


async def test_a_flood_of_nonsense_and_thousands_of_turns_leave_nothing_behind(
    logged: Callable[[], list[dict[str, Any]]],
) -> None:
    call = await call_with_clock()
    for number in range(2000):
        call.answers(str(number))
        call.reports(b"\x00" * 100_000)
        call.reports(b'{"heard": 1e308}')
    await call.recorder.aclose()
    lines = logged()
    assert sum("receipt" in line for line in lines) == 2000
    ignored = sum(sum(line.get("ignored", {}).values()) for line in lines)
    assert ignored == 4000
    # What could not be sent in time is dropped, not kept.
    assert len(call.room.sent) < 100


@pytest.mark.parametrize(
    "answer",
    ["", "now", "[]", '{"received": 1}', '{"received": "x", "sent": 1}', '{"received": 1e999}'],
)
async def test_a_clock_that_answers_nonsense_is_no_clock(
    answer: str, logged: Callable[[], list[dict[str, Any]]]
) -> None:
    call = Call(Room(lambda: answer))
    await call.begin()
    call.answers("one")
    assert not logged()[0]["receipt"]["heard"]
    call.hears()
    await call.recorder.aclose()
    assert logged()[-1]["ignored"] == {"no_clock": 1}
