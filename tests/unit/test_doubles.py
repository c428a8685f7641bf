"""Never two agents in one call."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from livekit import rtc
from livekit.agents import JobContext

from agent.call.doubles import give_way

pytestmark = pytest.mark.unit

AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
PERSON = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD


class Job:
    """One of our agents in a room with others."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.listeners: dict[str, Callable[[], object]] = {}
        self.remote_participants: dict[str, SimpleNamespace] = {}
        ctx = SimpleNamespace(
            job=SimpleNamespace(agent_name="ours"),
            room=SimpleNamespace(
                remote_participants=self.remote_participants, on=self.listeners.__setitem__
            ),
            shutdown=self.left.append,
        )
        self.ctx = cast("JobContext", ctx)

    def meet(self, identity: str, kind: int, name: str) -> None:
        self.remote_participants[identity] = SimpleNamespace(
            kind=kind, attributes={"lk.agent.name": name}
        )


@pytest.fixture
def job() -> Job:
    return Job()


def test_who_comes_second_leaves(job: Job) -> None:
    job.meet("agent-1", AGENT, "ours")
    assert give_way(job.ctx)
    assert len(job.left) == 1


def test_people_and_other_agents_are_no_reason_to_leave(job: Job) -> None:
    job.meet("somebody", PERSON, "ours")
    job.meet("agent-1", AGENT, "theirs")
    assert not give_way(job.ctx)
    job.listeners["reconnected"]()
    assert job.left == []


def test_who_comes_back_and_finds_another_in_its_place_leaves(job: Job) -> None:
    assert not give_way(job.ctx)
    job.meet("agent-2", AGENT, "ours")
    assert job.left == []  # the other one leaves
    job.listeners["reconnected"]()
    assert len(job.left) == 1
