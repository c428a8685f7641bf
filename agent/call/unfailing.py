"""What the recogniser says goes on to the framework, whatever else is done with it fails.

An exception in the node of an agent that hears would leave it deaf for the rest of the call.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from livekit.agents import stt

_log = logging.getLogger(__name__)


async def unfailing(
    event: stt.SpeechEvent, work: AsyncGenerator[stt.SpeechEvent, None]
) -> AsyncGenerator[stt.SpeechEvent, None]:
    """Pass on what work on an event yields, and if it fails, the event, unless it was among that.

    Args:
        event: What the recogniser said.
        work: What is made of it.
    """
    passed = False
    try:
        async with aclosing(work):
            async for each in work:
                passed = passed or each is event
                yield each
    except Exception:  # noqa: BLE001 - the agent must go on hearing; the log says what to mend
        _log.exception("something went wrong with what was heard; the call goes on")
        if not passed:
            yield event
