"""What a rule is, and how one is declared."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["tts", "stt"]
Check = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the framework's contract.

    Attributes:
        name: Unique; begins with the kind.
        kind: The plugins that it binds.
        statement: The rule, in one sentence.
        why: What users notice when it is broken.
        check: Raises `Broken` if the plugin on the bench breaks it.
        soak: Whether it has a full form, which takes minutes: see `Bench.soak`.
    """

    name: str
    kind: Kind
    statement: str
    why: str
    check: Check
    soak: bool = False


class Broken(AssertionError):
    """A check saw something that the rule forbids; the message says what."""


class NotClaimed(Exception):
    """A rule is about something that the plugin says it cannot do; the message says what."""


class RuleBroken(AssertionError):
    """A plugin breaks a rule: which one, what was seen and why it matters."""

    def __init__(self, broken: Rule, seen: str) -> None:
        super().__init__(
            f"{broken.name}: {broken.statement}\n  Seen: {seen}\n  Why it matters: {broken.why}"
        )
        self.rule = broken
        self.seen = seen


RULES: dict[str, Rule] = {}
"""Every declared rule by name, in the order of declaration."""


def rule(kind: Kind, *, why: str, soak: bool = False) -> Callable[[Check], Check]:
    """Declare the decorated function as a rule's check.

    Its name, after the kind, is the rule's name, and its docstring the rule.

    Args:
        kind: The plugins that the rule binds; says which bench the function gets.
        why: What users notice when the rule is broken.
        soak: Whether the check has a full form, which takes minutes: see `Bench.soak`.
    """

    def declare(check: Check) -> Check:
        name = f"{kind}_{getattr(check, '__name__', '')}"
        statement = inspect.getdoc(check)
        if name in RULES or not statement:
            raise ValueError(f"the rule {name} is declared twice, or lacks a docstring")
        RULES[name] = Rule(name, kind, " ".join(statement.split()), why, check, soak)
        return check

    return declare


def demand(holds: bool, seen: str) -> None:
    """Go on if the condition holds.

    Args:
        holds: What the rule demands.
        seen: What was seen instead, as a clause.

    Raises:
        Broken: It does not hold.
    """
    if not holds:
        raise Broken(seen)


def only_if(claimed: bool, what: str) -> None:
    """Go on if the plugin's capabilities say that the rule binds it.

    Args:
        claimed: What they say.
        what: What the rule is about.

    Raises:
        NotClaimed: They do not.
    """
    if not claimed:
        raise NotClaimed(what)
