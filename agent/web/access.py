"""Where LiveKit is and what signs our tokens, taken from the settings."""

from dataclasses import dataclass, field
from typing import Self

from yarl import URL

from agent.errors import UserError
from agent.settings import Settings

_WEBSOCKET_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class LiveKitAccess:
    """One LiveKit server and the key pair that it knows.

    Attributes:
        url: Its WebSocket URL, as browsers reach it.
        api_key: Issuer of our tokens.
        api_secret: Signs them; never leaves this process.
    """

    url: URL
    api_key: str
    api_secret: str = field(repr=False)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Read it from the settings.

        Raises:
            UserError: LIVEKIT_URL or its keys are missing, or the URL is none.
        """
        secret = settings.livekit_api_secret
        if not settings.livekit_url or not settings.livekit_api_key or secret is None:
            raise UserError(
                "The web process needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET; "
                "`eloquence up` sets them for the server that it starts."
            )
        try:
            given = URL(settings.livekit_url)
            url = given.with_scheme(_WEBSOCKET_SCHEMES[given.scheme])
        except (ValueError, KeyError):
            raise UserError(
                f"LIVEKIT_URL must look like `ws://127.0.0.1:7880`; it is {settings.livekit_url!r}."
            ) from None
        return cls(url, settings.livekit_api_key, secret.get_secret_value())

    @property
    def http_url(self) -> URL:
        """The same server over HTTP: its health check, and what the client SDK asks on failure."""
        return self.url.with_scheme(_HTTP_SCHEMES[self.url.scheme])
