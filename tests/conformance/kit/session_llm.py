"""A session's fake language model."""

import re
from dataclasses import dataclass
from typing import Any, Never

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions, llm, utils


@dataclass(frozen=True, slots=True)
class Call:
    """The answer that calls a tool, without arguments.

    Attributes:
        tool: Its name.
        text: What the model says before; many models say a blank, or an emoji.
    """

    tool: str
    text: str = ""


Reply = str | Call
"""What the model answers."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the model was asked.

    Attributes:
        text: The last thing that the user said.
        items: How many items the conversation had.
    """

    text: str
    items: int


class ScriptedLLM(llm.LLM[Never]):
    """Gives the answers that it was given, one after another, then none.

    Attributes:
        asked: The questions so far.
    """

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.asked: list[Question] = []
        self._replies = list(replies)

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> llm.LLMStream:
        """Answer."""
        said = [message.text_content or "" for message in chat_ctx.messages()]
        self.asked.append(Question(said[-1] if said else "", len(chat_ctx.items)))
        reply = self._replies.pop(0) if self._replies else ""
        return _Stream(self, reply, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _Stream(llm.LLMStream):
    def __init__(self, model: llm.LLM[Any], reply: Reply, **arguments: Any) -> None:
        super().__init__(model, **arguments)
        self._reply = reply

    async def _run(self) -> None:
        call = self._reply if isinstance(self._reply, Call) else None
        text = call.text if call else str(self._reply)
        for word in re.findall(r"\S*\s*", text):
            self._send(content=word)
        if call:
            wanted = llm.FunctionToolCall(name=call.tool, arguments="{}", call_id=utils.shortuuid())
            self._send(tool_calls=[wanted])

    def _send(self, **delta: Any) -> None:
        content = llm.ChoiceDelta(role="assistant", **delta)
        self._event_ch.send_nowait(llm.ChatChunk(id="answer", delta=content))
