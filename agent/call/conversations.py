"""The conversation of a call, kept aside so that the call outlives its worker.

A worker that `eloquence up` starts writes down what was said, for its owner's eyes alone. The agent
that comes into the same room after the worker was replaced, or died, goes on from there. When the
call ends, so does what is kept of it.
"""

import asyncio
import contextlib
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, CloseEvent, CloseReason
from livekit.agents.llm import ChatContext
from livekit.plugins import local

from agent.paths import KEEP_CONVERSATIONS, conversations_dir, hash_text, private_dir
from agent.settings import Settings

_log = logging.getLogger(__name__)

# What is left of calls that ended while no worker was there to notice.
_LONGEST_KEPT = 3600.0
_SHUT_DOWN = (CloseReason.JOB_SHUTDOWN, CloseReason.USER_INITIATED)
_ROOM_GONE = (rtc.DisconnectReason.ROOM_DELETED, rtc.DisconnectReason.ROOM_CLOSED)


class Conversation:
    """What was said in one room; does nothing unless ``ELOQUENCE_KEEP_CONVERSATIONS`` is 1."""

    def __init__(self, settings: Settings, room: str) -> None:
        """Prepare to keep the conversation of a room.

        Args:
            settings: The settings.
            room: Name of the room; on disk only its hash is seen.
        """
        self._folder = conversations_dir(settings.cache_dir)
        self._path = self._folder / f"{hash_text(room)}.json"
        self._enabled = os.environ.get(KEEP_CONVERSATIONS) == "1"
        self._over = False
        self._text: str | None = None
        self._told = False
        self._writing: asyncio.Task[None] | None = None

    async def restore(self, agent: Agent, voice: local.TTS) -> bool:
        """Give an agent what was said before it came; return whether there was anything."""
        if not self._enabled:
            return False
        kept = await asyncio.to_thread(self._read)
        if kept is None:
            return False
        try:
            context = ChatContext.from_dict(kept["chat"])
            language = str(kept["language"])
        except (KeyError, TypeError, ValueError):
            _log.warning("what was kept of a conversation cannot be read; it starts anew")
            return False
        await agent.update_chat_ctx(context)
        voice.update_options(language=language)
        return True

    def follow(
        self, session: AgentSession[None], agent: Agent, room: rtc.Room, voice: local.TTS
    ) -> None:
        """Keep what is said from now on, until the call ends."""
        if not self._enabled:
            return

        @session.on("conversation_item_added")
        def _keep(_: object) -> None:
            if not self._over:
                chat = agent.chat_ctx.copy(
                    exclude_instructions=True, exclude_handoff=True, exclude_config_update=True
                )
                kept = {"language": voice.language, "chat": chat.to_dict(exclude_timestamp=False)}
                self._write(json.dumps(kept))

        @session.on("close")
        def _on_close(event: CloseEvent) -> None:
            # A job that is shut down closes its session too, and leaves the caller behind.
            if event.reason not in _SHUT_DOWN:
                self._forget()

        @room.on("disconnected")
        def _on_disconnected(reason: rtc.DisconnectReason.ValueType) -> None:
            if reason in _ROOM_GONE:
                self._forget()

    async def aclose(self) -> None:
        """Wait until everything is on disk, or gone from it."""
        if self._writing:
            await self._writing

    def _forget(self) -> None:
        self._over = True
        self._write(None)

    def _write(self, text: str | None) -> None:
        self._text = text
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_latest())

    async def _write_latest(self) -> None:
        while True:
            text = self._text
            try:
                await asyncio.to_thread(self._store, text)
            except OSError as error:
                self._tell(error)
            if text is self._text:
                return

    def _tell(self, error: OSError) -> None:
        if not self._told:  # once for a call: it happens with every sentence
            self._told = True
            _log.warning(
                "the conversation cannot be kept for a worker that takes over (%s: %s); free some "
                "space, or set ELOQUENCE_CACHE_DIR to a directory that can be written",
                self._folder,
                error.strerror,
            )

    def _store(self, text: str | None) -> None:
        if text is None:
            self._path.unlink(missing_ok=True)
            return
        private_dir(self._folder)
        handle, name = tempfile.mkstemp(dir=self._folder)  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink()
            raise

    def _read(self) -> dict[str, Any] | None:
        self._prune()
        try:
            kept = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return None
        return kept if isinstance(kept, dict) else None

    def _prune(self) -> None:
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another call's job was first
                if time.time() - path.stat().st_mtime > _LONGEST_KEPT:
                    path.unlink()
