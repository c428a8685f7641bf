"""What a person sees: plain lines, JSON lines, or on a terminal a live view with lines above."""

import contextlib
import signal
from collections.abc import Mapping
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent import logs
from agent.readiness import Component
from agent.settings import Settings
from agent.up.gates import Report
from agent.up.progress import amount

NAME_WIDTH = 8
BAR_WIDTH = 24
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
        for label, component in self._entries(name, report).items():
            text = label + component.state
            if component.done is not None and component.total:
                percent = 100 * component.done // component.total
                text += f" {percent // PERCENT_STEP * PERCENT_STEP} %"
            if self._states.get((name, label)) != text:
                self._states[name, label] = text
                self.line(name, f"[{text}]")

    def _entries(self, name: str, report: Report) -> dict[str, Component]:
        """Return what there is to say, by the label in front of it."""
        parts = {f"{part}: ": state for part, state in report.parts.items()}
        if not parts or report.failed:
            return {"": report.state}
        if not report.ready:
            return parts
        late = {f"{part}: " for part in report.unfinished}
        seen = {label for label in parts if (name, label) in self._states}
        return {"": report.state} | {each: parts[each] for each in parts if each in late | seen}

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


class JsonBoard(Board):
    """Prints one JSON object per line; what services print as such passes unchanged."""

    def line(self, name: str, text: str) -> None:
        """Show a line that belongs to the service ``name``."""
        self._raw(text if logs.parse_json_line(text) else logs.json_line(name, text))

    def say(self, text: str) -> None:
        """Show a line of our own."""
        self._raw(logs.json_line("up", text))

    def complain(self, sentence: str) -> None:
        """Show that something failed."""
        self._raw(logs.json_line("up", sentence, "ERROR"))

    def announce(self, text: str) -> None:
        """Show that everything is ready."""
        self.say(text)

    def _raw(self, line: str) -> None:
        self._print(Text(line))


class LiveBoard(Board):
    """Keeps one line per service, and bars for what is loading, below the lines."""

    def __init__(self, console: Console) -> None:
        """Draw on ``console``, a terminal."""
        super().__init__(console)
        self._reports: dict[str, Report] = {}
        self._headline = ""
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, name: str, report: Report) -> None:
        """Show where the service ``name`` stands now."""
        self._reports[name] = report
        self._update()

    def announce(self, text: str) -> None:
        """Show that everything is ready, and keep it in sight."""
        super().announce(text)
        self._headline = text
        self._update()

    def _update(self) -> None:
        table = _table(self._reports)
        headline = Text(self._headline, style="bold green")
        self._live.update(Group(table, headline) if self._headline else table, refresh=True)


class PatientConsole(Console):
    """Takes the end of its reader for a wish to stop, and leaves time to do so in good order."""

    def on_broken_pipe(self) -> None:
        """Print no more, and stop as on SIGTERM."""
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()
        signal.raise_signal(signal.SIGTERM)


def make_board(settings: Settings) -> Board:
    """Return the board that suits the settings and the standard output."""
    console = PatientConsole(highlight=False)
    if settings.log_format == "json":
        return JsonBoard(console)
    return LiveBoard(console) if console.is_terminal else Board(console)


def _table(reports: dict[str, Report]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, report in reports.items():
        busy = report.unfinished if report.ready else _busy(report.parts)
        # What the parts say need not be said twice.
        _row(table, name, Component(report.state.state) if busy else report.state)
        for part, component in busy.items():
            _row(table, f"  {part}", component)
    return table


def _busy(parts: Mapping[str, Component]) -> dict[str, Component]:
    return {part: component for part, component in parts.items() if component.state != "ready"}


def _row(table: Table, name: str, component: Component) -> None:
    bar: Text | ProgressBar = Text()
    if component.done is not None and component.total:
        bar = ProgressBar(total=component.total, completed=component.done, width=BAR_WIDTH)
    state = Text(component.state, style=STYLES.get(component.state, "yellow"))
    # A failure's sentence stands above, among the lines.
    message = "" if component.state == "failed" else component.message
    words = " ".join(filter(None, (amount(component), message)))
    table.add_row(Text(name), state, bar, Text(words))
