"""What a person sees: plain lines, and on a terminal a live view while everything starts."""

import contextlib
import signal
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agent.readiness import Component
from agent.up.gates import Report

NAME_WIDTH = 8
MEGABYTE = 1_000_000
# A log gets one line for so many percent of a download.
PERCENT_STEP = 10
STYLES = {"ready": "green", "failed": "red", "waiting": "dim"}


class Board:
    """Prints plain lines, one for each change of state; a context manager."""

    def __init__(self, console: Console) -> None:
        """Print on ``console``."""
        self._console = console
        self._states: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, name: str, report: Report) -> None:
        """Show where the service ``name`` stands now."""
        entries = {"": report.state}
        if report.parts and not (report.ready or report.failed):
            entries = {f"{part}: ": state for part, state in report.parts.items()}
        for label, component in entries.items():
            text = label + component.state
            if component.done is not None and component.total:
                percent = 100 * component.done // component.total
                text += f" {percent // PERCENT_STEP * PERCENT_STEP} %"
            if self._states.get((name, label)) != text:
                self._states[name, label] = text
                self.line(name, f"[{text}]")

    def line(self, name: str, text: str) -> None:
        """Show a line that belongs to the service ``name``."""
        label = Text(f"{name:<{NAME_WIDTH}}| ", style="cyan")
        self._print(label.append(text, style="default"))

    def say(self, text: str) -> None:
        """Show a line of our own, exactly as it is."""
        self._print(Text(text))

    def complain(self, sentence: str) -> None:
        """Show that something failed."""
        self._print(Text(sentence, style="bold red"))

    def announce(self, text: str) -> None:
        """Show that everything is ready."""
        self._print(Text(text, style="bold green"))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


class LiveBoard(Board):
    """Keeps a table of the services below the lines until everything is ready."""

    def __init__(self, console: Console) -> None:
        """Draw on ``console``, a terminal."""
        super().__init__(console)
        self._reports: dict[str, Report] = {}
        self._live = Live(console=console, refresh_per_second=5, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, name: str, report: Report) -> None:
        """Show where the service ``name`` stands now."""
        self._reports[name] = report
        self._live.update(_table(self._reports))

    def announce(self, text: str) -> None:
        """Show that everything is ready, and make room for the conversation's log."""
        self._live.stop()
        super().announce(text)


class PatientConsole(Console):
    """Takes the end of its reader for a wish to stop, and leaves time to do so in good order."""

    def on_broken_pipe(self) -> None:
        """Print no more, and stop as on SIGTERM."""
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()
        signal.raise_signal(signal.SIGTERM)


def make_board() -> Board:
    """Return the board that suits the standard output."""
    console = PatientConsole(highlight=False)
    return LiveBoard(console) if console.is_terminal else Board(console)


def _table(reports: dict[str, Report]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, report in reports.items():
        busy = {} if report.ready else _busy(report.parts)
        # What the parts say need not be said twice.
        _row(table, name, Component(report.state.state) if busy else report.state)
        for part, component in busy.items():
            _row(table, f"  {part}", component)
    return table


def _busy(parts: dict[str, Component]) -> dict[str, Component]:
    return {part: component for part, component in parts.items() if component.state != "ready"}


def _row(table: Table, name: str, component: Component) -> None:
    detail = ""
    if component.done is not None and component.total:
        done, total = component.done / MEGABYTE, component.total / MEGABYTE
        detail = f"{done:.0f} of {total:.0f} MB ({100 * done / total:.0f} %)"
    state = Text(component.state, style=STYLES.get(component.state, "yellow"))
    # A failure's sentence stands above, among the lines.
    message = "" if component.state == "failed" else component.message
    table.add_row(Text(name), state, Text(" ".join(filter(None, (detail, message)))))
