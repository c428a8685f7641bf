"""The routes of the fake moshi-server's module of type ``BatchedAsr``."""

import asyncio
import io
import wave
from dataclasses import dataclass
from typing import Any, ClassVar

import msgpack
import numpy as np
from aiohttp import WSMsgType, web

from tests.support.moshi.auth import authorised
from tests.support.moshi.fake_ears import Caller, Ears

PATH = "/api/asr-streaming"

_LARGEST_BODY = 2 * 1024 * 1024
_TAIL = 240_000


@dataclass(frozen=True)
class EarClock:
    """The server's timers in seconds; the defaults are the real ones.

    Attributes:
        ping: Between two pings, while nothing else is sent.
        silent: A client is dropped after that long without a frame, pongs count.
        no_data: A client is dropped at its next frame after that long without a message.
        retry: Between two looks for a slot, by the HTTP endpoint.
        retries: How many times it looks.
    """

    ping: float = 10.0
    silent: float = 20.0
    no_data: float = 120.0
    retry: float = 0.1
    retries: int = 1000


class SpeechToText:
    """One module.

    Attributes:
        ears: Its slots.
        lengths: Samples of each message of audio that came.
        markers: Markers that came.
    """

    _NUMBERS: ClassVar = (int, float)

    def __init__(self, ears: Ears, clock: EarClock | None = None) -> None:
        self.ears = ears
        self.lengths: list[int] = []
        self.markers: list[int] = []
        self._clock = clock or EarClock()

    def add_routes(self, app: web.Application) -> None:
        """Add the module's routes."""
        app.router.add_get(PATH, self._stream)
        app.router.add_post(PATH, self._whole)

    def info(self) -> dict[str, str]:
        """Return the module's line of ``/api/modules_info``."""
        return {
            "type": "batched_asr",
            "path": PATH,
            "lm": "lm",
            "audio_tokenizer": "mimi",
            "used_slots": str(self.ears.used),
            "total_slots": str(len(self.ears.slots)),
        }

    async def aclose(self) -> None:
        """End everything."""
        await self.ears.aclose()

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoclose=False, timeout=0.05, max_msg_size=64 * 1024**2)
        if not socket.can_prepare(request).ok:
            return web.Response(status=400, text="no upgrade")
        if not authorised(request):
            return web.Response(status=401)
        await socket.prepare(request)
        caller = self.ears.open()
        if caller is None:
            refusal = {"type": "Error", "message": "no free channels"}
            await socket.send_bytes(msgpack.packb(refusal))
            await socket.close()
            return socket
        receiving = asyncio.create_task(self._receive(socket, caller))
        sending = asyncio.create_task(self._send(socket, caller))
        try:
            await asyncio.wait([receiving, sending], return_when=asyncio.FIRST_COMPLETED)
            if not caller.cut:
                # Whoever has lost his slot is told nothing; his next message ends the line.
                await receiving
        finally:
            for task in (receiving, sending):
                task.cancel()
            await asyncio.wait([receiving, sending])
            self.ears.leave(caller)
            # There is no Close.
            if request.transport:
                request.transport.abort()
        return socket

    async def _receive(self, socket: web.WebSocketResponse, caller: Caller) -> None:
        """Queue what the client sends, until it says what makes no sense, nothing, or goodbye."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            try:
                # Pongs, which this does not return, begin the time anew.
                frame = await socket.receive(timeout=self._clock.silent)
            except TimeoutError:
                return
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            if loop.time() - last > self._clock.no_data:
                return
            if frame.type is WSMsgType.BINARY:
                last = loop.time()
                if caller.dropped:
                    return
                try:
                    self._take(caller, msgpack.unpackb(frame.data))
                except (ValueError, TypeError, KeyError, msgpack.UnpackException):
                    return

    def _take(self, caller: Caller, fields: dict[str, Any]) -> None:
        match fields["type"]:
            case "Audio":
                pcm = fields["pcm"]
                if not isinstance(pcm, list) or not all(
                    isinstance(value, self._NUMBERS) for value in pcm
                ):
                    raise TypeError("no list of numbers")
                self.lengths.append(len(pcm))
                self.ears.give(caller, "Audio", pcm)
            case "Marker":
                if not isinstance(fields["id"], int):
                    raise TypeError("no integer")
                self.markers.append(fields["id"])
                self.ears.give(caller, "Marker", fields["id"])
            case "Init":
                self.ears.give(caller, "Init", None)
            case kind:
                raise ValueError(f"{kind} is unknown")

    async def _send(self, socket: web.WebSocketResponse, caller: Caller) -> None:
        """Send what there is, and pings while there is nothing."""
        try:
            while True:
                try:
                    async with asyncio.timeout(self._clock.ping):
                        message = await caller.outgoing.get()
                except TimeoutError:
                    await socket.ping()
                    continue
                if message is None:
                    return
                await socket.send_bytes(message)
        except (ConnectionError, RuntimeError):
            # The client has gone.
            return

    async def _whole(self, request: web.Request) -> web.StreamResponse:
        if not request.headers.get("kyutai-api-key") or not authorised(request):
            return web.Response(status=401)
        body = await request.content.read()
        if len(body) > _LARGEST_BODY:
            return web.Response(status=413)
        for _ in range(self._clock.retries):
            if caller := self.ears.open():
                break
            await asyncio.sleep(self._clock.retry)
        else:
            return web.Response(status=500)
        try:
            samples = _read_wav(body)
            self.ears.give(caller, "Audio", samples)
            self.ears.give(caller, "Marker", 0)
            self.ears.give(caller, "Audio", np.zeros(_TAIL, np.float32))
            words = []
            while (message := await caller.outgoing.get()) is not None:
                fields = msgpack.unpackb(message)
                if fields["type"] in ("Word", "EndWord"):
                    words.append(fields)
                if fields["type"] == "Marker":
                    return web.json_response(words)
            return web.Response(status=500)
        except (wave.Error, EOFError):
            return web.Response(status=500)
        finally:
            self.ears.leave(caller)


def _read_wav(body: bytes) -> np.ndarray[Any, np.dtype[np.float32]]:
    with wave.open(io.BytesIO(body)) as file:
        assert file.getframerate() == 24_000, "this fake does not resample"
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return (pcm[:: file.getnchannels()] / 32768).astype(np.float32)
