"""The moshi-server, where one hears or speaks."""

import re
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from .groups import Group


class Kyutai(Group):
    """The moshi-server, where one hears or speaks."""

    tts: Literal["local", "kyutai"] = Field(
        "local",
        description="What speaks: `local`, the speech engine, or `kyutai`, a moshi-server, with "
        "the speech engine as its stand-in",
    )
    kyutai_url: str | None = Field(
        None, description="Address of the moshi-server, `ws://HOST:PORT` or `wss://HOST`"
    )
    kyutai_stt_url: str | None = Field(
        None, description="Address of the one that hears, if it is another; empty is `KYUTAI_URL`"
    )
    kyutai_api_key: SecretStr = Field(
        SecretStr("public_token"), description="One of that server's `authorized_ids`"
    )
    kyutai_voice: str | None = Field(
        None, description="Voice in that server's folder of voices; empty is its default"
    )

    @field_validator("kyutai_url", "kyutai_stt_url")
    @classmethod
    def _check_kyutai_url(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"(ws|wss|http|https)://[^/\s]+(/\S*)?", value):
            raise ValueError("must look like `ws://HOST:PORT`")
        return value

    @field_validator("kyutai_voice")
    @classmethod
    def _check_kyutai_voice(cls, value: str | None) -> str | None:
        if value and (value.startswith("/") or ".." in value.split("/")):
            raise ValueError("must be a path within the server's folder of voices")
        return value

    @property
    def kyutai_stt_address(self) -> str | None:
        """Address of the moshi-server that hears."""
        return self.kyutai_stt_url or self.kyutai_url
