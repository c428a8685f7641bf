"""Which LiveKit server carries the calls."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from .groups import Group


class LiveKit(Group):
    """Which LiveKit server carries the calls."""

    livekit_url: str | None = Field(
        None, description="LiveKit server to use; empty starts one on this machine"
    )
    livekit_api_key: str | None = Field(
        None, description="API key; generated for a server that we start"
    )
    livekit_api_secret: SecretStr | None = Field(
        None, description="API secret, 32 characters or more; generated likewise"
    )
    livekit_server_bin: Path | None = Field(
        None, description="`livekit-server` binary to start; empty looks for one"
    )
    livekit_port: int = Field(7880, ge=1, le=65535, description="HTTP port of the server we start")
    livekit_udp_port: int = Field(
        7882, ge=1, le=65535, description="Media port (UDP) of the server we start"
    )

    @field_validator("livekit_api_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have 32 characters or more")
        return value

    @model_validator(mode="after")
    def _check_livekit(self) -> Self:
        if self.livekit_url and not (self.livekit_api_key and self.livekit_api_secret):
            raise ValueError(
                "LIVEKIT_URL names a server, so LIVEKIT_API_KEY and LIVEKIT_API_SECRET are needed"
            )
        return self
