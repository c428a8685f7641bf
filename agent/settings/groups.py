"""What the groups of settings have in common."""

from typing import Annotated, TypeVar

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


_T = TypeVar("_T")
# A tuple that is written with commas in the environment.
CommaSeparated = Annotated[tuple[_T, ...], NoDecode, BeforeValidator(_split)]


class Group(BaseSettings):
    """Some settings that belong together; each is the environment variable of its name."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)
