"""The scripted caller tells what it heard, and knows its receipts by its own times."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from livekit import rtc

from agent.caller.ear import Ear
from agent.caller.onset import OnsetConfig
from agent.caller.reporting import EarReporter
from agent.receipts.receipt import RECEIPT_TOPIC, Echo, Receipt
from agent.receipts.reports import CLOCK_METHOD, EAR_TOPIC

pytestmark = pytest.mark.unit

AGENT = SimpleNamespace(kind=rtc.ParticipantKind.PARTICIPANT_KIND_AGENT, identity="agent")
STRANGER = SimpleNamespace(kind=rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD, identity="x")


class Room:
    """Keeps what is sent and registered."""

    def __init__(self) -> None:
        self.local_participant = self
        self.methods: dict[str, Any] = {}
        self.listeners: dict[str, Any] = {}
        self.sent: list[tuple[str, dict[str, float]]] = []
        self.told = asyncio.Event()

    def on(self, event: str, listener: object) -> None:
        self.listeners[event] = listener

    def register_rpc_method(self, name: str, handler: object) -> None:
        self.methods[name] = handler

    async def publish_data(self, payload: str, *, topic: str) -> None:
        self.sent.append((topic, json.loads(payload)))
        self.told.set()

    def gets(self, body: object, sender: object = AGENT, topic: str = RECEIPT_TOPIC) -> None:
        data = json.dumps(body).encode()
        packet = SimpleNamespace(topic=topic, data=data, participant=sender)
        self.listeners["data_received"](packet)


def receipt(**echo: float) -> dict[str, Any]:
    return Receipt(
        turn=1,
        language="en",
        answered=True,
        heard="heard" in echo,
        begin=0.0,
        end=900.0,
        stages=(),
        echo=Echo(**echo),
    ).to_json()


async def test_every_onset_is_reported_with_the_time_of_its_first_frame() -> None:
    room, ear = Room(), Ear(OnsetConfig())
    reporter = EarReporter(cast("rtc.Room", room), ear)
    reporter.start()
    loud = np.full(480, 9000, np.int16).tobytes()
    for number in range(20):
        ear.hear(bytes(960) if number < 5 else loud, 50.0 + number * 0.01)
    await asyncio.wait_for(room.told.wait(), 5)
    await reporter.stopped(49.5)
    assert [topic for topic, _ in room.sent] == [EAR_TOPIC, EAR_TOPIC]
    assert room.sent[0][1]["heard"] == pytest.approx(50_050)
    assert room.sent[1][1] == {"stopped": 49_500}
    times = json.loads(await room.methods[CLOCK_METHOD](None))
    assert times["received"] <= times["sent"]
    await reporter.aclose()


async def test_a_turn_finds_its_receipt_by_the_callers_times() -> None:
    room = Room()
    reporter = EarReporter(cast("rtc.Room", room), Ear(OnsetConfig()))
    room.gets(receipt(stopped=1000.04, heard=2000.04))
    room.gets(receipt(stopped=5000.0))
    room.gets(receipt(stopped=7000.0), sender=STRANGER)
    room.gets({"version": 99})
    room.gets("nonsense")
    room.gets(receipt(stopped=8000.0), topic="lk.chat")
    assert len(reporter.receipts) == 2
    assert reporter.receipt(stopped=1.0, heard=2.0) is reporter.receipts[0]
    assert reporter.receipt(stopped=5.0, heard=6.0) is reporter.receipts[1]
    assert reporter.receipt(stopped=7.0, heard=None) is None
