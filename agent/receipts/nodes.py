"""Notes what passes through the agent's nodes: audio, transcripts, text, speech."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable

from livekit import rtc
from livekit.agents import FlushSentinel, stt
from livekit.agents.llm import ChatChunk, ChatContext, ChatMessage

from agent.receipts.observer import Reply, TurnObserver

# The text of an answer is known by its beginning; what is said otherwise has no answer to find.
_LONGEST_START = 200


class Nodes:
    """Tells an observer what passes; every item passes unchanged, and at once."""

    def __init__(self, observer: TurnObserver) -> None:
        self._observer = observer

    async def audio(
        self, frames: AsyncIterable[rtc.AudioFrame]
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Pass the caller's audio on."""
        async for frame in frames:
            self._observer.hear(frame)
            yield frame

    def transcribed(self, event: stt.SpeechEvent) -> None:
        """Note a final transcript, or one announced."""
        final = event.type is stt.SpeechEventType.FINAL_TRANSCRIPT
        if (final or event.type is stt.SpeechEventType.PREFLIGHT_TRANSCRIPT) and event.alternatives:
            self._observer.transcribed(event.alternatives[0].text, final=final)

    def asked(self, context: ChatContext) -> Callable[[ChatChunk | str | FlushSentinel], None]:
        """Note that the language model is asked, and return what takes its answer."""
        messages = (each for each in reversed(context.items) if isinstance(each, ChatMessage))
        question = next((each.id for each in messages if each.role == "user"), "")
        reply = self._observer.asked(question)
        return lambda chunk: self._observer.wrote(reply, _text(chunk))

    def speech(self) -> "Speech":
        """Return what notes the speech of one text."""
        return Speech(self._observer)


class Speech:
    """One text on its way through the voice."""

    def __init__(self, observer: TurnObserver) -> None:
        self._observer = observer
        self._opened = observer.opened()
        self._reply: Reply | None = None

    async def texts(self, texts: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        """Pass the text on."""
        start = ""
        async for text in texts:
            if self._reply is None and len(start) < _LONGEST_START:
                start += text
                self._reply = self._observer.given(start, self._opened)
            yield text

    def audio(self) -> None:
        """Note that there is audio."""
        if self._reply:
            self._observer.audio(self._reply)


def _text(chunk: ChatChunk | str | FlushSentinel) -> str:
    if isinstance(chunk, str):
        return chunk
    if isinstance(chunk, ChatChunk) and chunk.delta:
        return chunk.delta.content or ""
    return ""
