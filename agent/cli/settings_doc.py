"""The settings as documentation, taken from the object itself: `.env.example` and tables."""

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from agent.settings import GROUPS, env_name

_HEAD = """\
# Settings of Eloquence: copy this file to .env and change what you need.
# Every line shows a setting's default; the environment wins over .env.
"""


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
    for title, group in GROUPS.items():
        lines = [f"# --- {title} ---\n"]
        for name, field in group.model_fields.items():
            lines.append(f"# {field.description}\n# {env_name(name)}={_default_text(field)}\n")
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def markdown_tables() -> str:
    """Return the settings as Markdown tables, one for each group."""
    blocks = []
    for title, group in GROUPS.items():
        lines = [f"**{title}**", "", "| Setting | Default | Meaning |", "|---|---|---|"]
        for name, field in group.model_fields.items():
            default = _default_text(field)
            shown = f"`{default}`" if default else ""
            lines.append(f"| `{env_name(name)}` | {shown} | {field.description} |")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)
