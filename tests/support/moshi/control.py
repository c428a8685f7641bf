"""How a model inside a server, real or fake, is told to misbehave, and tells what it did.

A file for the orders, and one for each model's journal; they are replaced in one go. The model's
side must get along without anything that the real server's Python does not have.
"""

import json
from pathlib import Path
from typing import Any

_BEHAVIOUR = "behaviour.json"


class Control:
    """The model's side.

    Attributes:
        behaviour: The kit's `Behaviour`, as a dictionary.
        round: Which case this is; everything from an earlier one is over.
    """

    def __init__(self, directory: str, name: str) -> None:
        """Take a side.

        Args:
            directory: Where the files are.
            name: Which model this is; each has a journal of its own.
        """
        self.behaviour: dict[str, Any] = {}
        self.round = -1
        self._directory = Path(directory)
        self._own = self._directory / f"{name}.journal"
        self._seen = 0
        self._journal: dict[str, Any] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look whether there is something new; to be called at each step."""
        changed = (self._directory / _BEHAVIOUR).stat().st_mtime_ns
        if changed == self._seen:
            return
        self._seen = changed
        state = json.loads((self._directory / _BEHAVIOUR).read_text())
        self.behaviour = state["behaviour"]
        if state["round"] != self.round:
            self.round = state["round"]
            self._journal = {"round": self.round}

    def spend(self, name: str) -> bool:
        """Use up one of so many failures; tell whether there was one left."""
        left = int(self.behaviour.get(name, 0))
        self.behaviour[name] = left - 1 if left > 0 else left
        return left != 0

    def record(self, **what: Any) -> None:
        """Add numbers to the journal's, and texts to its lists."""
        for name, value in what.items():
            if isinstance(value, str):
                self._journal.setdefault(name, []).append(value)
            else:
                self._journal[name] = self._journal.get(name, 0) + value
        _replace(self._own, self._journal)

    def begin(self, name: str) -> int:
        """Begin a text of a list of the journal; return its number, for `extend`."""
        self.record(**{name: ""})
        return len(self._journal[name]) - 1

    def extend(self, name: str, number: int, word: str) -> None:
        """Add a word to a text that was begun."""
        texts = self._journal.get(name, [])
        if number < len(texts):
            texts[number] = f"{texts[number]} {word}".strip()
            _replace(self._own, self._journal)

    def fail(self) -> None:
        """Lose all connections."""
        self.record(failures=1)


class Controller:
    """The other side."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._round = 0
        self.behave({})

    def behave(self, behaviour: dict[str, Any]) -> None:
        """Let the models behave so."""
        _replace(self._directory / _BEHAVIOUR, {"behaviour": behaviour, "round": self._round})

    def reset(self) -> None:
        """Begin anew."""
        self._round += 1
        self.behave({})

    def journal(self) -> dict[str, Any]:
        """Return what the models recorded since."""
        found: dict[str, Any] = {}
        for path in self._directory.glob("*.journal"):
            journal = json.loads(path.read_text())
            if journal.pop("round", None) == self._round:
                found.update(journal)
        return found


def _replace(path: Path, content: object) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(path)
