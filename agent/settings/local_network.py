"""How the local network reaches the page, for `--lan`."""

import re
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from .groups import Group


class LocalNetwork(Group):
    """How the local network reaches the page, for `--lan`."""

    lan_host: str | None = Field(
        None,
        description="This machine's name or address for `--lan`; empty finds the address",
    )
    lan_port: int = Field(8443, ge=1, le=65535, description="HTTPS port of the page for `--lan`")
    lan_cert: Path | None = Field(
        None, description="Certificate for `--lan`, PEM with its chain; empty makes one"
    )
    lan_key: Path | None = Field(None, description="Private key of that certificate, PEM")
    lan_access_code: SecretStr | None = Field(
        None, description="Access code for `--lan`; empty makes one for each run"
    )

    @field_validator("lan_access_code")
    @classmethod
    def _check_access_code(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.fullmatch(r"(-*[A-Za-z0-9]){8,64}-*", value.get_secret_value()):
            raise ValueError("must be 8 to 64 letters and digits; hyphens may stand between them")
        return value
