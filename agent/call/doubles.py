"""Never two agents in one call.

When the LiveKit server was restarted, callers and agents come back into their calls in any order. A
caller who is first opens the room anew, which may call a second agent into it while the first one
is still on its way back. Whoever finds the other there leaves.
"""

import logging

from livekit import rtc
from livekit.agents import JobContext

_log = logging.getLogger(__name__)

# The framework's workers announce the name that calls ask for.
_NAME = "lk.agent.name"


def give_way(ctx: JobContext) -> bool:
    """Leave the call if another agent of our name is in it, now or when we come back into it.

    Args:
        ctx: The job, whose room is joined.

    Returns:
        Whether we leave now.
    """

    def leave() -> bool:
        others = ctx.room.remote_participants.values()
        if not any(_is_agent(each, ctx.job.agent_name) for each in others):
            return False
        _log.info("another agent is in the call; this one leaves")
        ctx.shutdown("another agent is in the call")
        return True

    ctx.room.on("reconnected", leave)
    return leave()


def _is_agent(participant: rtc.RemoteParticipant, name: str) -> bool:
    kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    return participant.kind == kind and participant.attributes.get(_NAME) == name
