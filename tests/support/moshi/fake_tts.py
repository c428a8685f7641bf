"""The routes of the fake moshi-server's module of type ``Py``."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, get_args

import msgpack
import numpy as np
from aiohttp import WSMsgType, web

from tests.support.moshi.auth import authorised
from tests.support.moshi.fake_channels import Channel, Channels, Format, Model

PATH = "/api/tts_streaming"


@dataclass(frozen=True)
class Clock:
    """The server's timers in seconds; the defaults are the real ones.

    Attributes:
        ping: Between two pings, at most; a client is dropped after three times that without a
            frame.
        retry: Between two looks for a slot, by the HTTP endpoint.
        retries: How many times it looks.
    """

    ping: float = 10.0
    retry: float = 0.1
    retries: int = 1000


class TextToSpeech:
    """One module."""

    def __init__(self, model: Model, batch_size: int, clock: Clock) -> None:
        self.channels = Channels(model, batch_size)
        self._clock = clock

    def add_routes(self, app: web.Application) -> None:
        """Add the module's routes."""
        app.router.add_get(PATH, self._stream)
        app.router.add_post(PATH, self._whole)

    def info(self) -> dict[str, str]:
        """Return the module's line of ``/api/modules_info``."""
        return {
            "type": "py",
            "path": PATH,
            "script": "stub_tts.py",
            "used_slots": str(self.channels.used),
            "total_slots": str(len(self.channels.slots)),
        }

    async def aclose(self) -> None:
        """End everything."""
        await self.channels.aclose()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoclose=False, timeout=0.05, max_msg_size=64 * 1024**2)
        if not socket.can_prepare(request).ok:
            return web.Response(status=400, text="no upgrade")
        format: Any = request.query.get("format", "OggOpus")
        if format not in get_args(Format):
            return web.Response(status=400, text="Failed to deserialize query string")
        if not authorised(request):
            return web.Response(status=401)
        await socket.prepare(request)
        channel = self.channels.open(format, request.query.get("voice"))
        if channel is None:
            await self._refuse(request, socket, format)
            return socket
        receiving = asyncio.create_task(self._receive(socket, channel))
        try:
            await self._send(request, socket, channel)
            # The real server lets go of the line when the client has answered its Close.
            await receiving
        finally:
            receiving.cancel()
            await asyncio.wait([receiving])
            channel.unheard = channel.client_gone = True
            _hang_up(request)
        return socket

    async def _refuse(
        self, request: web.Request, socket: web.WebSocketResponse, format: str
    ) -> None:
        if format.endswith("MessagePack"):
            await socket.send_bytes(msgpack.packb({"type": "Error", "message": "no free channels"}))
            _say_close(request)
            async with asyncio.timeout(3 * self._clock.ping):
                await socket.receive()
        _hang_up(request)

    async def _receive(self, socket: web.WebSocketResponse, channel: Channel) -> None:
        """Queue what the client sends, until it says what makes no sense, nothing, or goodbye."""
        try:
            while True:
                # Pongs, which this does not return, begin the time anew.
                frame = await socket.receive(timeout=3 * self._clock.ping)
                if frame.type is WSMsgType.TEXT:
                    channel.take_text(frame.data)
                elif frame.type is WSMsgType.BINARY:
                    _take(channel, frame.data)
                else:
                    channel.left = True
                    break
        except (TimeoutError, ValueError, TypeError, KeyError, msgpack.UnpackException):
            pass
        finally:
            channel.client_gone = True

    async def _send(
        self, request: web.Request, socket: web.WebSocketResponse, channel: Channel
    ) -> None:
        """Send what there is, and pings; then the empty Close."""
        loop = asyncio.get_running_loop()
        pinged = loop.time()
        message: bytes | None = b""
        try:
            while message is not None:
                message = b""
                try:
                    async with asyncio.timeout(self._clock.ping):
                        message = await channel.outgoing.get()
                except TimeoutError:
                    pass
                if loop.time() - pinged > self._clock.ping:
                    pinged = loop.time()
                    await socket.ping()
                if message and channel.left:
                    channel.unheard = True
                    return
                if message:
                    await socket.send_bytes(message)
            _say_close(request)
        except (ConnectionError, RuntimeError):
            # The client has gone.
            channel.unheard = True

    async def _whole(self, request: web.Request) -> web.StreamResponse:
        try:
            query = json.loads(await request.read())
            text, voice = query["text"], query["voice"]
        except (ValueError, TypeError, KeyError):
            return web.Response(status=422)
        if not authorised(request):
            return web.Response(status=401)
        for _ in range(self._clock.retries):
            if channel := self.channels.open("Pcm", voice):
                break
            await asyncio.sleep(self._clock.retry)
        else:
            return web.Response(status=500)
        channel.take_text(text)
        channel.incoming.append(("eos", None))
        response = web.StreamResponse(headers={"Content-Type": "audio/wav"})
        try:
            await response.prepare(request)
            await response.write(_WAV_HEADER)
            while (piece := await channel.outgoing.get()) is not None:
                samples = np.frombuffer(piece, "<f4")
                await response.write((samples * 32767).astype("<i2").tobytes())
            await response.write_eof()
        finally:
            channel.unheard = True
        return response


def _take(channel: Channel, data: bytes) -> None:
    """Take a message.

    Raises:
        ValueError, TypeError, KeyError: It is none.
    """
    if data == b"\0":
        channel.incoming.append(("eos", None))
        return
    fields = msgpack.Unpacker(strict_map_key=False)
    fields.feed(data)
    # What comes after the first object is ignored.
    message = fields.unpack()
    if isinstance(message, list):
        names = {"Text": ["text"], "Voice": ["embeddings", "shape"], "Eos": []}[message[0]]
        message = {"type": message[0], **dict(zip(names, message[1:], strict=True))}
    match message["type"]:
        case "Text":
            text = message["text"]
            channel.take_text(text.decode() if isinstance(text, bytes) else str.strip(text))
        case "Voice":
            if not all(isinstance(message[name], list) for name in ("embeddings", "shape")):
                raise TypeError("byte array, expected a sequence")
            values = np.array(message["embeddings"], np.float32)
            channel.incoming.append(("voice", _tensor(values, message["shape"])))
        case "Eos":
            channel.incoming.append(("eos", None))
        case _:
            raise ValueError("an unknown type")


def _tensor(values: Any, shape: list[int]) -> Any:
    """Return what the model gets: None, its default voice, if the numbers do not fit the shape."""
    if not 1 <= len(shape) <= 3 or np.prod(shape) != values.size:
        return None
    return values.reshape(shape)


def _say_close(request: web.Request) -> None:
    """Send a Close without a code, which aiohttp cannot."""
    if request.transport and not request.transport.is_closing():
        request.transport.write(b"\x88\x00")


def _hang_up(request: web.Request) -> None:
    if request.transport:
        request.transport.close()


_WAV_HEADER = (
    b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0"
    + (24_000).to_bytes(4, "little")
    + (48_000).to_bytes(4, "little")
    + b"\x02\0\x10\0data\xff\xff\xff\xff"
)
