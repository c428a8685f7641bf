"""The agent as a participant: whether it is there, and the state that it announces."""

from time import perf_counter

from livekit import rtc

from agent.caller.access import is_agent
from agent.caller.ear import Ear

_STATE = "lk.agent.state"
_AT_REST = (None, "idle", "listening")


class AgentPresence:
    """Follows the first agent of a room and lets an ear listen to it.

    Attributes:
        identity: The agent's identity, once it is there.
        ended: One sentence that says why the call is over, once it is.
    """

    def __init__(self, room: rtc.Room, ear: Ear) -> None:
        self.identity: str | None = None
        self.ended: str | None = None
        self._room = room
        self._ear = ear
        self._states: list[tuple[float, str | None]] = []
        room.on("participant_connected", self._meet)
        room.on("track_subscribed", self._on_track)
        room.on("participant_attributes_changed", self._on_attributes)
        room.on("participant_disconnected", self._on_left)
        room.on("disconnected", self._on_disconnected)

    @property
    def at_rest(self) -> bool:
        """Whether the agent, by its own account, is neither speaking nor about to speak."""
        return not self._states or self._states[-1][1] in _AT_REST

    def speaks_through(self, start: float, end: float) -> bool:
        """Tell whether the agent's state was "speaking" from ``start`` to ``end`` without a break.

        Both are times of `time.perf_counter`.
        """
        states = [state for at, state in self._states if at <= start][-1:]
        states += [state for at, state in self._states if start < at <= end]
        return states == ["speaking"]

    def look_round(self) -> None:
        """Meet those who were in the room before us."""
        for participant in self._room.remote_participants.values():
            self._meet(participant)

    def _meet(self, participant: rtc.RemoteParticipant) -> None:
        if self.identity is None and is_agent(participant):
            self.identity = participant.identity
            self._note_state(participant)

    def _note_state(self, participant: rtc.Participant) -> None:
        self._states.append((perf_counter(), participant.attributes.get(_STATE)))

    def _on_track(
        self,
        track: rtc.Track,
        publication: rtc.RemoteTrackPublication,
        participant: rtc.RemoteParticipant,
    ) -> None:
        self._meet(participant)
        if participant.identity == self.identity and track.kind == rtc.TrackKind.KIND_AUDIO:
            self._ear.listen(track)

    def _on_attributes(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if participant.identity == self.identity and _STATE in changed:
            self._note_state(participant)

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.identity:
            self.ended = "The agent left the call; its log (`eloquence worker`) says why."

    def _on_disconnected(self, reason: rtc.DisconnectReason.ValueType) -> None:
        if self.ended is None:
            name = rtc.DisconnectReason.Name(reason)
            self.ended = f"LiveKit ended the call ({name}); its log says why."
