"""A plugin under test."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.kit import tones
from tests.conformance.kit.backend import Backend
from tests.conformance.kit.ears import Ear
from tests.conformance.kit.rules import Kind


@dataclass(frozen=True, slots=True)
class PluginUnderTest:
    """What the kit needs to know of a plugin.

    Attributes:
        name: How the table calls it.
        kind: ``tts`` or ``stt``.
        make: The factory: returns a fresh plugin that talks to the server at ``http://HOST:PORT``.
        backend: Starts the server, and ends it with the context; shared by all cases.
        change: Changes an option of a plugin so that it speaks half as fast from then on.
        expected: Rules that it is known to break, with the reason.
        lacks: Rules about something that it does not claim to do, with what that is.
        ear: Reads back the words that its voice says.
    """

    name: str
    kind: Kind
    make: Callable[[str], Any]
    backend: Callable[[], AbstractContextManager[Backend]]
    change: Callable[[Any], None] | None = None
    expected: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    ear: Ear = tones.hear
