"""The settings as documentation, taken from the object itself: `.env.example` and tables."""

import inspect
import re
from collections.abc import Iterator

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from agent.settings import Settings, env_name

_GROUP = re.compile(r"    # (?P<group>.+)")
_FIELD = re.compile(r"    (?P<field>\w+): ")

_HEAD = """\
# Settings of Eloquence: copy this file to .env and change what you need.
# Every line shows a setting's default; the environment wins over .env.
"""


def _groups() -> Iterator[tuple[str, list[str]]]:
    """Yield each group's title and its fields; the comments of the class are the titles."""
    title, fields = "", list[str]()
    for line in inspect.getsource(Settings).splitlines():
        if heading := _GROUP.fullmatch(line):
            if fields:
                yield title, fields
            title, fields = heading["group"], []
        elif (match := _FIELD.match(line)) and match["field"] in Settings.model_fields:
            fields.append(match["field"])
    yield title, fields


def _default_text(field: FieldInfo) -> str:
    """Return a default as it is written in the environment; empty when there is none."""
    default = field.default
    if field.default_factory is not None or default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, float):
        return f"{default:g}"
    return str(default)


def env_example() -> str:
    """Return ``.env.example``: every setting, commented out, with its description and default."""
    blocks = [_HEAD]
    for title, fields in _groups():
        lines = [f"# --- {title} ---\n"]
        for name in fields:
            field = Settings.model_fields[name]
            lines.append(f"# {field.description}\n# {env_name(name)}={_default_text(field)}\n")
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def markdown_tables() -> str:
    """Return the settings as Markdown tables, one for each group."""
    blocks = []
    for title, fields in _groups():
        lines = [f"**{title}**", "", "| Setting | Default | Meaning |", "|---|---|---|"]
        for name in fields:
            field = Settings.model_fields[name]
            default = _default_text(field)
            shown = f"`{default}`" if default else ""
            lines.append(f"| `{env_name(name)}` | {shown} | {field.description} |")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)
