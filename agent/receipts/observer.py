"""When what happens in a call: the instants of which receipts are made.

Everything is stamped on one monotonic clock of the job's process as it happens.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

from livekit import rtc

from agent.receipts.speech_end import SpeechEnd

# Voice activity detection waits so long; where the audio itself does not tell, speech ended then.
_DETECTOR_SILENCE = 0.25
# Answers begun for one turn: early ones, and the one that is spoken.
_KEPT_REPLIES = 8
_KEPT_TRANSCRIPTS = 64


@dataclass(slots=True, eq=False)
class Reply:
    """One answer that the language model was asked for; times in seconds.

    Attributes:
        message: Id of the caller's message that it answers.
        asked: When the model was asked.
        token: When its first word came.
        given: When the voice was opened for its text.
        clause: When the voice had enough to begin.
        audio: When its first audio came.
        text: What was written so far; never leaves this process.
    """

    message: str
    asked: float
    token: float | None = None
    given: float | None = None
    clause: float | None = None
    audio: float | None = None
    text: str = field(default="", repr=False)


@dataclass(slots=True, eq=False, kw_only=True)
class Turn:
    """One turn as it happened; times in seconds.

    Attributes:
        number: From 1.
        ended: The caller's speech ended, as it reached the agent.
        voice_ended: Voice activity detection said so.
        understood: The transcript that was answered came.
        decided: The turn was decided to be over.
        message: Id of the caller's message.
        language: In which it is answered.
        replies: The answers that were begun for it, in order.
        reply: The one of them that is spoken.
        packet: Its first packet was handed to the network.
    """

    number: int
    ended: float
    voice_ended: float | None
    understood: float | None
    decided: float
    message: str
    language: str
    replies: list[Reply] = field(default_factory=list)
    reply: Reply | None = None
    packet: float | None = None


class TurnObserver:
    """Notes what happens in one call; `turn` is the turn that was decided last."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self.turn: Turn | None = None
        self._clock = clock
        self._count = 0
        self._ear = SpeechEnd()
        self._ended: float | None = None
        self._voice_ended: float | None = None
        self._finals = ""
        self._transcripts: deque[tuple[float, str]] = deque(maxlen=_KEPT_TRANSCRIPTS)
        self._replies: deque[Reply] = deque(maxlen=_KEPT_REPLIES)

    def hear(self, frame: rtc.AudioFrame) -> None:
        """Note audio of the caller."""
        self._ear.hear(frame, self._clock())

    def voice_ended(self) -> None:
        """Note that voice activity detection says that the caller stopped."""
        now = self._clock()
        self._voice_ended = now
        self._ended = self._ear.before(now) or now - _DETECTOR_SILENCE

    def transcribed(self, text: str, *, final: bool) -> None:
        """Note a transcript: final, or announced to become so unless the caller goes on."""
        whole = plain(f"{self._finals} {text}")
        self._transcripts.append((self._clock(), whole))
        if final:
            self._finals = whole

    def decided(self, message: str, text: str, language: str) -> Turn:
        """Note that the turn is over, and return it.

        Args:
            message: Id of what the caller said.
            text: Its transcript.
            language: In which it will be answered.
        """
        now = self._clock()
        self._count += 1
        self.turn = Turn(
            number=self._count,
            ended=now if self._ended is None else self._ended,
            voice_ended=self._voice_ended,
            understood=self._understood(plain(text)),
            decided=now,
            message=message,
            language=language,
            replies=list(self._replies),
        )
        self._ended = self._voice_ended = None
        self._finals = ""
        self._transcripts.clear()
        self._replies.clear()
        return self.turn

    def answered(self, message: str) -> None:
        """Note that the message of this id is part of the conversation and gets an answer.

        An answer that was begun early has given the message an id of its own.
        """
        turn = self.turn
        if turn and turn.reply is None:
            for reply in turn.replies:
                if reply.message == message:
                    turn.message, turn.reply = message, reply
                    return
        # A typed message, whose answer is none to what is being said.
        for reply in [each for each in self._replies if each.message == message]:
            self._replies.remove(reply)

    def asked(self, message: str) -> Reply:
        """Note that the language model is asked for an answer to the message of this id."""
        reply = Reply(message, self._clock())
        turn = self.turn
        if turn and message == turn.message:
            turn.replies.append(reply)
            turn.reply = turn.reply or reply
        else:
            self._replies.append(reply)
        return reply

    def wrote(self, reply: Reply, text: str) -> None:
        """Note text of the language model."""
        if text and reply.token is None:
            reply.token = self._clock()
        if reply.given is None:
            reply.text += text

    def opened(self) -> float:
        """Return the time, for a voice that has just been opened."""
        return self._clock()

    def given(self, text: str, opened: float) -> Reply | None:
        """Note the first text of something to speak; return the answer that it is part of.

        Args:
            text: The text.
            opened: When the voice was opened for it.
        """
        start = plain(text)
        for reply in reversed(self._open_replies()):
            if start and reply.given is None and plain(reply.text).startswith(start):
                reply.given = opened
                return reply
        return None

    def clause(self) -> None:
        """Note that the voice begins with a clause."""
        for reply in reversed(self._open_replies()):
            if reply.given is not None and reply.audio is None:
                reply.clause = reply.clause or self._clock()
                return

    def audio(self, reply: Reply) -> None:
        """Note audio of an answer; only the first counts."""
        if reply.audio is None:
            reply.audio = self._clock()

    def played(self) -> Turn | None:
        """Note that playing began; return the turn whose answer that is, if it is one's first."""
        turn = self.turn
        if turn is None or turn.packet is not None:
            return None
        if turn.reply is None or turn.reply.audio is None:
            return None
        turn.packet = self._clock()
        return turn

    def _open_replies(self) -> list[Reply]:
        return [*(self.turn.replies if self.turn else ()), *self._replies]

    def _understood(self, text: str) -> float | None:
        """Return since when the transcript is what it was in the end."""
        since = None
        for at, heard in reversed(self._transcripts):
            if heard != text:
                break
            since = at
        if since is None and self._transcripts:
            since = self._transcripts[-1][0]
        return since


def plain(text: str) -> str:
    """Return the words of a text alone, as the framework compares transcripts."""
    return re.sub(r"[\W_]+", "", text).casefold()
