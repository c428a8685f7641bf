"""A process that gets ready behind the back of the one that it is to follow."""

import asyncio

from agent.ports import spare_port
from agent.readiness import STANDBY_PORT
from agent.readiness_feed import first, told_by
from agent.up.children import OnLine
from agent.up.obituary import obituary
from agent.up.plan import Service

_LONGEST = 60.0


class Standby:
    """A second process of a service, which answers on a port of its own.

    Attributes:
        child: The process.
    """

    def __init__(self, service: Service, on_line: OnLine) -> None:
        """Prepare it.

        Args:
            service: What to run; it must heed ``ELOQUENCE_STANDBY_PORT``.
            on_line: Called with each line of its output.
        """
        self._service = service
        self._port = spare_port()
        env = {**service.env, STANDBY_PORT: str(self._port)}
        self.child = service.child(service.argv, env, on_line)

    async def start(self) -> str | None:
        """Start it and wait until it can serve.

        Returns:
            None, or a sentence that says why it never will.
        """
        name, remedy = f"The new {self._service.name}", self._service.remedy
        try:
            await self.child.start()
        except OSError as error:
            return f"{name} does not start ({error.strerror or error}); {remedy}."
        feed = told_by(f"http://127.0.0.1:{self._port}")
        ready = asyncio.create_task(first(feed, lambda answer: bool(answer and answer.ready)))
        ended = asyncio.create_task(self.child.wait())
        try:
            await asyncio.wait(
                {ready, ended}, timeout=_LONGEST, return_when=asyncio.FIRST_COMPLETED
            )
            if ready.done():
                return None
            if not ended.done():
                return f"{name} is not ready after {_LONGEST:g} s; {remedy}."
        finally:
            for task in (ready, ended):
                task.cancel()
            await asyncio.wait({ready, ended})
        return obituary(name, remedy, self.child.last_line, ended.result())
