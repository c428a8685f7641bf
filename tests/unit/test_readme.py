"""The README tells the truth where it can be checked."""

from pathlib import Path

import pytest

from agent.settings_doc import markdown_tables

pytestmark = pytest.mark.unit

README = Path(__file__).parents[2] / "README.md"


def test_the_settings_table_is_the_one_that_the_command_prints() -> None:
    text = README.read_text()
    _, _, rest = text.partition("<!-- settings: `eloquence settings --markdown` -->")
    table, _, _ = rest.partition("<!-- end of settings -->")
    assert table.strip() == markdown_tables().strip()
