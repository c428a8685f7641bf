"""What Kyutai's plugin itself costs: from a frame to its audio, and from a word to its message."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import aiohttp
import msgpack
from aiohttp.client_proto import ResponseHandler
from livekit import rtc
from livekit.agents import tts
from livekit.plugins.kyutai import messages
from livekit.plugins.kyutai.connection import Connection
from livekit.plugins.kyutai.server import MoshiServer
from livekit.plugins.kyutai.tts import SynthesizeStream


@dataclass
class Overhead:
    """Delays in seconds.

    Attributes:
        frames: From the moment the last byte of each frame was read off the socket, not yet a
            message, to the end of the push of its audio. What it waits for other streams counts.
        words: From the end of each word to the end of the sending of its message, for words that
            were complete when there was a connection.
    """

    frames: list[float] = field(default_factory=list)
    words: list[float] = field(default_factory=list)


@contextmanager
def watched() -> Iterator[Overhead]:
    """Watch all of the plugin's streams that are opened inside; each push must hold a word at most.

    The plugin has no hooks for this, so its own functions are wrapped.
    """
    overhead = Overhead()
    with _frames(overhead.frames), _words(overhead.words):
        yield overhead


@contextmanager
def _frames(delays: list[float]) -> Iterator[None]:
    arrived: dict[asyncio.Task[object] | None, float] = {}
    decode, push = messages.decode, tts.AudioEmitter.push_frame

    with _arrivals() as read:

        def arrives(data: bytes) -> messages.Message:
            arrived[asyncio.current_task()] = read.pop(id(data), 0.0)
            return decode(data)

        def pushed(emitter: tts.AudioEmitter, frame: rtc.AudioFrame) -> None:
            push(emitter, frame)
            if began := arrived.pop(asyncio.current_task(), None):
                delays.append(time.perf_counter() - began)

        with (
            patch.object(messages, "decode", arrives),
            patch.object(tts.AudioEmitter, "push_frame", pushed),
        ):
            yield


@contextmanager
def _arrivals() -> Iterator[dict[int, float]]:
    """Give when the bytes of each message were read, by the identity of its data."""
    read: dict[int, float] = {}
    sockets: dict[object, aiohttp.ClientWebSocketResponse] = {}
    connect, receive = MoshiServer.websocket, ResponseHandler.data_received

    async def connects(
        server: MoshiServer, path: str, query: Mapping[str, str], *, timeout: float
    ) -> aiohttp.ClientWebSocketResponse:
        socket = await connect(server, path, query, timeout=timeout)
        assert socket._conn
        sockets[socket._conn.protocol] = socket
        return socket

    def receives(protocol: ResponseHandler, data: bytes) -> None:
        at = time.perf_counter()
        queue = sockets[protocol]._reader._buffer if protocol in sockets else ()
        waiting = len(queue)
        receive(protocol, data)
        for message, _ in list(queue)[waiting:]:
            read[id(message.data)] = at

    with (
        patch.object(MoshiServer, "websocket", connects),
        patch.object(ResponseHandler, "data_received", receives),
    ):
        yield read


@contextmanager
def _words(delays: list[float]) -> Iterator[None]:
    complete: dict[tts.SynthesizeStream, deque[float]] = {}
    lines: dict[Connection, tuple[float, deque[float]]] = {}
    push, forward, send = (
        tts.SynthesizeStream.push_text,
        SynthesizeStream._forward,
        Connection.send,
    )

    def pushes(stream: tts.SynthesizeStream, text: str) -> None:
        if text[-1:].isspace():
            complete.setdefault(stream, deque()).append(time.perf_counter())
        push(stream, text)

    async def forwards(
        stream: SynthesizeStream, connection: Connection, first: str, texts: AsyncIterator[str]
    ) -> None:
        lines[connection] = time.perf_counter(), complete.setdefault(stream, deque())
        await forward(stream, connection, first, texts)

    async def sends(connection: Connection, message: bytes) -> None:
        await send(connection, message)
        opened, ends = lines.get(connection, (0.0, deque()))
        for _ in str(msgpack.unpackb(message).get("text", "")).split():
            if ends and (ended := ends.popleft()) > opened:
                delays.append(time.perf_counter() - ended)

    with (
        patch.object(tts.SynthesizeStream, "push_text", pushes),
        patch.object(SynthesizeStream, "_forward", forwards),
        patch.object(Connection, "send", sends),
    ):
        yield
