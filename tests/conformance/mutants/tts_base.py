"""What the broken voices have in common: where our own plugin can be bent."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from livekit.plugins import local
from livekit.plugins.local.client import EngineConnection, EngineStream

Make = Callable[[str], local.TTS]


class Wire:
    """Between plugin and engine: sees every message, and may change it."""

    def __init__(self, stream: EngineStream) -> None:
        self.engine = stream

    async def send(self, message: Any) -> None:
        await self.engine.send(message)

    async def receive(self, **arguments: Any) -> bytes | dict[str, Any] | None:
        return await self.engine.receive(**arguments)


class Clauses(Wire):
    """Tells the emitter when a clause begins."""

    def __init__(self, stream: EngineStream, emitter: Any) -> None:
        super().__init__(stream)
        self.emitter = emitter

    async def receive(self, **arguments: Any) -> bytes | dict[str, Any] | None:
        message = await super().receive(**arguments)
        if isinstance(message, dict) and message["type"] == "segment":
            self.begun(message["text"])
        return message

    def begun(self, text: str) -> None:
        self.emitter.clause()


class Connection(EngineConnection):
    """Opens its streams with a wire in between."""

    wire: type[Wire] = Wire

    @asynccontextmanager
    async def stream(
        self, path: str, start: object, *, timeout: float
    ) -> AsyncIterator[EngineStream]:
        async with super().stream(path, start, timeout=timeout) as stream:
            yield self.wire(stream)  # type: ignore[misc]


class Emitter:
    """Between plugin and framework: passes every call on, or not."""

    def __init__(self, emitter: Any) -> None:
        self.emitter = emitter

    def __getattr__(self, name: str) -> Any:
        return getattr(self.emitter, name)


class Stream(local.SynthesizeStream):
    """A stream with an emitter in between."""

    emitter: type[Emitter] = Emitter

    async def _run(self, output_emitter: Any) -> None:
        await super()._run(self.emitter(output_emitter))  # type: ignore[arg-type]


class Voice(local.TTS):
    """Our plugin, made of other parts."""

    connection: type[EngineConnection] = EngineConnection
    opens: type[local.SynthesizeStream] = local.SynthesizeStream

    def __init__(self, address: str) -> None:
        super().__init__(engine=address)
        self._connection = self.connection(address)

    def stream(
        self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> local.SynthesizeStream:
        stream = self.opens(self, self._connection, self._options, conn_options)
        self._streams.add(stream)
        return stream


def voice(
    *,
    wire: type[Wire] | None = None,
    connection: type[EngineConnection] = EngineConnection,
    emitter: type[Emitter] | None = None,
    stream: type[local.SynthesizeStream] = local.SynthesizeStream,
) -> Make:
    """Return the factory of a voice with one part in place of our own."""

    class Wired(Connection):
        pass

    class Emitting(Stream):
        pass

    class Broken(Voice):
        pass

    Wired.wire = wire or Wire
    Emitting.emitter = emitter or Emitter
    Broken.connection = Wired if wire else connection
    Broken.opens = Emitting if emitter else stream
    return Broken
