"""What a job keeps of a conversation, for whom, and until when."""

import asyncio
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession, CloseEvent, CloseReason, ConversationItemAddedEvent
from livekit.plugins import local

from agent.call.conversations import Conversation
from agent.paths import KEEP_CONVERSATIONS
from agent.settings import Settings

pytestmark = pytest.mark.unit

ROOM = "call-of-ada"


class Job:
    """One job in a room: its agent and its voice, with a real session that is not running."""

    def __init__(self, settings: Settings, room: str = ROOM) -> None:
        self.conversation = Conversation(settings, room)
        self.agent = Agent(instructions="Be brief.")
        self.voice = local.TTS(engine="unix:/nowhere/engine.sock", language="en")
        self.session = AgentSession[None]()
        self.room = rtc.Room()
        self.conversation.follow(self.session, self.agent, self.room, self.voice)

    async def restore(self) -> bool:
        return await self.conversation.restore(self.agent, self.voice)

    async def hear(self, text: str) -> None:
        context = self.agent.chat_ctx.copy()
        message = context.add_message(role="user", content=text)
        await self.agent.update_chat_ctx(context)
        self.session.emit("conversation_item_added", ConversationItemAddedEvent(item=message))

    async def close(self, reason: CloseReason) -> None:
        self.session.emit("close", CloseEvent(reason=reason))
        await self.end()

    async def end(self) -> None:
        await self.conversation.aclose()
        await self.voice.aclose()

    @property
    def said(self) -> list[str | None]:
        return [item.text_content for item in self.agent.chat_ctx.items if item.type == "message"]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(KEEP_CONVERSATIONS, "1")
    monkeypatch.setenv("ELOQUENCE_CACHE_DIR", str(tmp_path))
    return Settings()


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], list[Path]]:
    folder = tmp_path / "run" / "conversations"
    return lambda: sorted(folder.glob("*")) if folder.exists() else []


async def test_the_next_job_in_the_room_goes_on_in_the_same_language(settings: Settings) -> None:
    first = Job(settings)
    assert not await first.restore()
    first.voice.update_options(language="fr")
    await first.hear("Je m'appelle Robert.")
    await first.hear("Tu es là ?")
    await first.close(CloseReason.USER_INITIATED)  # what the framework says of a stopped worker
    second = Job(settings)
    assert await second.restore()
    assert second.said == ["Je m'appelle Robert.", "Tu es là ?"]
    assert second.voice.language == "fr"
    await second.end()


async def test_another_room_starts_anew(settings: Settings) -> None:
    first, other = Job(settings), Job(settings, "another")
    await first.hear("My name is Robert.")
    await first.end()
    assert not await other.restore()
    await other.end()


async def test_only_the_owner_can_read_it_and_its_name_tells_nothing(
    settings: Settings, kept: Callable[[], list[Path]]
) -> None:
    job = Job(settings)
    await job.hear("My name is Robert.")
    await job.end()
    (path,) = kept()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert ROOM not in path.name
    assert "Be brief" not in path.read_text()


@pytest.mark.parametrize("reason", [CloseReason.PARTICIPANT_DISCONNECTED, CloseReason.ERROR])
async def test_nothing_is_left_of_a_call_that_ended(
    settings: Settings, kept: Callable[[], list[Path]], reason: CloseReason
) -> None:
    job = Job(settings)
    await job.hear("My name is Robert.")
    await job.close(reason)
    assert kept() == []


async def test_nothing_is_left_of_a_room_that_was_closed(
    settings: Settings, kept: Callable[[], list[Path]]
) -> None:
    job = Job(settings)
    await job.hear("My name is Robert.")
    job.room.emit("disconnected", rtc.DisconnectReason.ROOM_CLOSED)
    await job.hear("Anybody there?")
    await job.end()
    assert kept() == []


async def test_what_nobody_came_back_for_is_removed(
    settings: Settings, kept: Callable[[], list[Path]]
) -> None:
    job = Job(settings)
    await job.hear("My name is Robert.")
    await job.end()
    os.utime(kept()[0], (0, 0))
    other = Job(settings, "another")
    await other.restore()
    await other.end()
    assert kept() == []


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", json.dumps({"chat": 1, "language": ""})])
async def test_a_damaged_file_starts_the_conversation_anew(
    settings: Settings, kept: Callable[[], list[Path]], content: str
) -> None:
    job = Job(settings)
    await job.hear("My name is Robert.")
    await job.end()
    kept()[0].write_text(content)
    next_job = Job(settings)
    assert not await next_job.restore()
    await next_job.end()


async def test_a_full_disk_is_told_and_the_call_goes_on(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").write_text("no folder")
    job = Job(settings)
    await job.hear("My name is Robert.")
    await job.hear("I am a baker.")
    await job.end()
    (record,) = caplog.records
    assert "cannot be kept" in record.getMessage()
    assert "ELOQUENCE_CACHE_DIR" in record.getMessage()
    assert "Robert" not in caplog.text


async def test_nothing_is_kept_unless_asked_for(
    settings: Settings, kept: Callable[[], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEEP_CONVERSATIONS)
    job = Job(settings)
    await job.hear("My name is Robert.")
    await asyncio.sleep(0)
    await job.end()
    assert kept() == []
