"""Ports, messages and directories of our processes."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from agent.paths import default_cache_dir, default_data_dir

from .groups import Group


class Processes(Group):
    """Ports, messages and directories of our processes."""

    worker_port: int = Field(8081, ge=1, le=65535, description="Health port of the worker")
    web_host: str = Field("127.0.0.1", description="Address on which the page is served")
    web_port: int = Field(8080, ge=1, le=65535, description="Port of the page and of `/token`")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe message to print"
    )
    log_format: Literal["readable", "json"] = Field(
        "readable", description="Form of the messages: `readable`, or `json`, one object per line"
    )
    cache_dir: Path = Field(
        default_factory=default_cache_dir,
        validation_alias="ELOQUENCE_CACHE_DIR",
        description="Models, generated keys, sockets; empty uses your cache directory",
    )
    data_dir: Path = Field(
        default_factory=default_data_dir,
        validation_alias="ELOQUENCE_DATA_DIR",
        description="Voices that you add; empty uses your data directory",
    )
