from dataclasses import dataclass, field
from time import perf_counter

import pytest
from livekit import rtc

from agent.caller.ear import Ear
from agent.caller.onset import OnsetConfig
from agent.caller.presence import AgentPresence

pytestmark = pytest.mark.unit

AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


@dataclass
class Somebody:
    """As much of a participant as the presence looks at."""

    identity: str = "agent-1"
    kind: int = AGENT
    attributes: dict[str, str] = field(default_factory=dict)


class Meeting:
    def __init__(self) -> None:
        self.room = rtc.Room()
        self.presence = AgentPresence(self.room, Ear(OnsetConfig()))
        self.agent = Somebody()

    def join(self, somebody: Somebody) -> None:
        self.room.emit("participant_connected", somebody)

    def state(self, state: str) -> float:
        """Announce a state of the agent; return a time just after."""
        self.agent.attributes = {"lk.agent.state": state}
        self.room.emit("participant_attributes_changed", self.agent.attributes, self.agent)
        return perf_counter()


@pytest.fixture
async def meeting() -> Meeting:
    return Meeting()


async def test_only_an_agent_is_one(meeting: Meeting) -> None:
    meeting.join(Somebody("ann", rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD))
    assert meeting.presence.identity is None
    meeting.join(meeting.agent)
    assert meeting.presence.identity == "agent-1"


async def test_the_first_agent_stays_the_one(meeting: Meeting) -> None:
    meeting.join(meeting.agent)
    meeting.join(Somebody("agent-2"))
    meeting.room.emit("participant_disconnected", Somebody("agent-2"))
    assert meeting.presence.identity == "agent-1"
    assert meeting.presence.ended is None
    meeting.room.emit("participant_disconnected", meeting.agent)
    assert meeting.presence.ended is not None
    assert meeting.presence.ended.startswith("The agent left the call")


async def test_the_reason_of_a_disconnection_is_told(meeting: Meeting) -> None:
    meeting.room.emit("disconnected", rtc.DisconnectReason.ROOM_DELETED)
    assert meeting.presence.ended == "LiveKit ended the call (ROOM_DELETED); its log says why."


@pytest.mark.parametrize(
    ("state", "at_rest"),
    [
        ("initializing", False),
        ("listening", True),
        ("idle", True),
        ("thinking", False),
        ("speaking", False),
    ],
)
async def test_an_agent_rests_when_it_listens(meeting: Meeting, state: str, at_rest: bool) -> None:
    meeting.join(meeting.agent)
    meeting.state(state)
    assert meeting.presence.at_rest is at_rest


async def test_an_agent_without_states_is_judged_by_sound_alone(meeting: Meeting) -> None:
    meeting.join(meeting.agent)
    assert meeting.presence.at_rest
    assert not meeting.presence.speaks_through(perf_counter(), perf_counter())


async def test_speaking_through_means_without_a_break(meeting: Meeting) -> None:
    meeting.join(meeting.agent)
    before = meeting.state("listening")
    speaking = meeting.state("speaking")
    later = perf_counter()
    assert meeting.presence.speaks_through(speaking, later)
    assert not meeting.presence.speaks_through(before, later)
    meeting.state("listening")
    again = meeting.state("speaking")
    assert meeting.presence.speaks_through(speaking, later)
    assert not meeting.presence.speaks_through(speaking, again)


async def test_attributes_of_others_and_other_attributes_do_not_count(meeting: Meeting) -> None:
    meeting.join(meeting.agent)
    meeting.state("listening")
    stranger = Somebody("agent-2", attributes={"lk.agent.state": "speaking"})
    meeting.room.emit("participant_attributes_changed", stranger.attributes, stranger)
    meeting.agent.attributes = {"lk.agent.state": "speaking", "mood": "fine"}
    meeting.room.emit("participant_attributes_changed", {"mood": "fine"}, meeting.agent)
    assert meeting.presence.at_rest
