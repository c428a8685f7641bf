"""Makes the receipts of one call, and hands them out: to the room and to the log."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter

from livekit import rtc
from livekit.agents import AgentSession, ConversationItemAddedEvent, UserStateChangedEvent
from livekit.agents.llm import ChatMessage
from livekit.rtc.participant import PublishDataError

from agent.receipts.asking import follow_clock
from agent.receipts.draft import Report, draft
from agent.receipts.observer import Turn, TurnObserver
from agent.receipts.pace import AnswerPace
from agent.receipts.receipt import RECEIPT_TOPIC, RECEIPTS_LOGGER, Receipt
from agent.receipts.reports import EAR_TOPIC, HEARD_PATIENCE, Reports

# The worker counts what comes here, so it must come whatever the level of the log is.
_log = logging.getLogger(RECEIPTS_LOGGER)
_log.setLevel(logging.INFO)

# A report may be on its way for a while after its time.
_REPORT_SECONDS = HEARD_PATIENCE + 1.0
# Receipts on their way to a caller whose connection has broken.
_MOST_UNSENT = 16


class Recorder:
    """Follows one call.

    Attributes:
        observer: Notes what happens; the agent tells it what the framework's events do not.
        pace: How long answers take.
    """

    def __init__(self, budget: Mapping[str, float], language: Callable[[], str]) -> None:
        """Prepare to follow a call.

        Args:
            budget: What a turn may take, as `agent.receipts.budget.budget_of` gives it.
            language: Tells the language that is spoken now.
        """
        self.observer = TurnObserver(perf_counter)
        self.pace = AnswerPace()
        self._budget = budget
        self._language = language
        self._reports = Reports()
        self._ignored: Counter[str] = Counter()
        self._open: Turn | None = None
        self._unheard: Turn | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._room: rtc.Room | None = None
        self._session: AgentSession[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    def follow(self, session: AgentSession[None], room: rtc.Room) -> None:
        """Follow a session that has been started in a room."""
        self._session, self._room = session, room
        session.on("user_state_changed", self._on_user_state)
        session.on("conversation_item_added", self._on_item)
        session.on("close", lambda _: self._finish())
        room.on("data_received", self._on_data)
        if session.output.audio:
            session.output.audio.on("playback_started", lambda _: self._on_playing())
        self._asking = asyncio.create_task(
            follow_clock(room, self._caller, self._reports.clock), name="caller-clock"
        )

    def turn_decided(self, message: ChatMessage) -> None:
        """Note that the caller's turn is over."""
        self._finish()
        text = message.text_content or ""
        self._open = self.observer.decided(message.id, text, self._language())

    async def aclose(self) -> None:
        """Hand out what is left."""
        self._finish()
        if self._ignored:
            _log.info("some of the caller's reports were ignored", extra=self._lost())
        if self._asking:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        if self._sending:
            await asyncio.wait(self._sending)

    def _on_user_state(self, event: UserStateChangedEvent) -> None:
        if event.old_state == "speaking" and event.new_state == "listening":
            self.observer.voice_ended()

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, ChatMessage) and event.item.role == "user":
            self.observer.answered(event.item.id)

    def _on_playing(self) -> None:
        turn = self.observer.played()
        if turn is None or turn is not self._open:
            return
        if self._reports.clock.ours(0.0) is None:
            self._finish()  # this caller reports nothing
        else:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(_REPORT_SECONDS, self._finish)

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.topic != EAR_TOPIC:
            return
        if packet.participant is None or packet.participant.identity != self._caller():
            return
        turn = self._open or self._unheard
        heard, ignored = self._reports.take(packet.data, turn, perf_counter())
        if ignored:
            self._ignored[ignored] += 1
        if heard and turn is self._open:
            self._finish(heard)
        elif heard:
            self._ignored["late"] += 1
            self._unheard = None

    def _caller(self) -> str | None:
        if self._session is None or self._room is None or not self._room.isconnected():
            return None
        try:
            caller = self._session.room_io.linked_participant
        except RuntimeError:
            return None  # the session is over
        return caller.identity if caller else None

    def _finish(self, heard: Report | None = None) -> None:
        """Make the receipt of the open turn, if there is one."""
        turn, self._open = self._open, None
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
        if turn is None:
            return
        self._unheard = None if heard else turn
        receipt = draft(
            turn,
            self._budget,
            stopped=self._reports.stopped(turn),
            heard=heard,
        )
        self.pace.take(receipt)
        body = receipt.to_json()
        _log.info(_sentence(receipt), extra={"receipt": body, **self._lost()})
        self._send(json.dumps(body, separators=(",", ":")))

    def _lost(self) -> dict[str, dict[str, int]]:
        ignored, self._ignored = dict(self._ignored), Counter()
        return {"ignored": ignored} if ignored else {}

    def _send(self, body: str) -> None:
        if self._room is None or not self._room.isconnected():
            return
        if len(self._sending) >= _MOST_UNSENT:
            return
        task = asyncio.create_task(_publish(self._room, body), name="receipt")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


async def _publish(room: rtc.Room, body: str) -> None:
    try:
        await room.local_participant.publish_data(body, topic=RECEIPT_TOPIC)
    except PublishDataError as error:
        logging.getLogger(__name__).debug("a receipt did not reach the room (%s)", error)


def _sentence(receipt: Receipt) -> str:
    if receipt.total is None:
        return f"turn {receipt.turn} got no answer"
    took = f"turn {receipt.turn} took {receipt.total:.0f} ms"
    return f"{took}, too long because of {receipt.broke}" if receipt.broke else took
