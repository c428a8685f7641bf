"""What a deliberately broken plugin is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.conformance.kit.rules import Kind


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to break a plugin.

    Attributes:
        name: What is broken, in a few words.
        kind: ``tts`` or ``stt``.
        make: The factory, as of `PluginUnderTest`.
        breaks: The rules that must notice.
        may_break: Rules that notice too, because they need what is broken; not asked as sentinels.
        change: As of `PluginUnderTest`.
    """

    name: str
    kind: Kind
    make: Callable[[str], Any]
    breaks: frozenset[str]
    may_break: frozenset[str] = frozenset()
    change: Callable[[Any], None] | None = None
