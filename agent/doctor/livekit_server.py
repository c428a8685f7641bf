"""The LiveKit server: whether it answers, knows our key, and tells the same time."""

import os
import re
import socket
import ssl
import time
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from livekit import api

from agent.doctor.finding import START, Finding, fail, ok, warn
from agent.livekit.config import LOOPBACK
from agent.livekit.keys import server_keys
from agent.settings import Settings

# A token is refused when the clocks differ by more than the leeway that LiveKit's library grants.
LEEWAY_SECONDS = 60.0
# The header has whole seconds, and its way takes a moment.
SUSPICIOUS_SECONDS = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=2.5)
_BUSY = 406
_REFUSED = (401, 403)
_TOKEN = re.compile(r"\beyJ[\w.-]+")
_TIME_WORDS = ("expired", "not valid", "nbf", "iat", "issued in the future")


@dataclass(frozen=True, slots=True)
class Server:
    """A LiveKit server and the key to use.

    Attributes:
        url: ``ws://`` or ``wss://``, as clients are told.
        key: API key.
        secret: Its secret.
        setting: The setting that says where it is.
    """

    url: str
    key: str
    secret: str = field(repr=False)
    setting: str

    @property
    def http(self) -> str:
        """Its address for HTTP, without a slash at the end."""
        url = self.url.rstrip("/")
        return f"http{url.removeprefix('ws')}" if url.startswith("ws") else url


def address(settings: Settings) -> tuple[str, str]:
    """Return the server's URL and the setting that says where it is."""
    if settings.livekit_url:
        return settings.livekit_url, "LIVEKIT_URL"
    return f"ws://{LOOPBACK}:{settings.livekit_port}", "LIVEKIT_PORT"


def server(settings: Settings) -> Server:
    """Return the server that calls use.

    Raises:
        UserError: The key is configured by half, or the file with the generated one is damaged.
    """
    keys = server_keys(settings)
    url, setting = address(settings)
    return Server(url, keys.key, keys.secret, setting)


def token(livekit: Server, room: str) -> str:
    """Return a token for a look into a room, without an agent."""
    return (
        api.AccessToken(livekit.key, livekit.secret)
        .with_identity("doctor")
        .with_ttl(timedelta(minutes=1))
        .with_grants(api.VideoGrants(room_join=True, room=room, hidden=True))
        .to_jwt()
    )


async def reachable(settings: Settings) -> Finding:
    """Ask the server whether it is well."""
    url, setting = address(settings)
    http = Server(url, "", "", setting).http
    remedy = START if settings.livekit_url is None else f"start that server, or correct {setting}"
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{http}/", allow_redirects=False) as answer,
        ):
            status, text = answer.status, (await answer.content.read(64)).decode(errors="replace")
    except TimeoutError:
        return fail(f"{url} does not answer within {_TIMEOUT.total:g} s", remedy)
    except aiohttp.ClientConnectorCertificateError as error:
        return fail(
            f"the certificate of {url} is not trusted ({error.certificate_error})",
            "give it a valid one, or name its authority in SSL_CERT_FILE",
        )
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return fail(f"{url} cannot be reached ({reason(error)})", remedy)
    if status == _BUSY:
        return warn(f"{url} calls itself overloaded", "see its log; it needs more processor time")
    if status != 200 or text.strip() != "OK":
        return fail(
            f"what answers at {url} (status {status}) is not a LiveKit server",
            f"correct {setting}",
        )
    return ok(f"answers at {url}")


def reason(error: BaseException) -> str:
    """Return why a connection failed, in a few words."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, socket.gaierror):
        return "there is no such host"
    if isinstance(cause, ssl.SSLError):
        return cause.reason or "TLS failed"
    number = getattr(cause, "errno", None)
    return os.strerror(number) if number else str(cause) or type(cause).__name__


async def key_is_valid(settings: Settings) -> Finding:
    """Show the server a token, and see whether it lets us in and may manage rooms."""
    livekit = server(settings)
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        params = {"access_token": token(livekit, "doctor")}
        async with session.get(f"{livekit.http}/rtc/validate", params=params) as answer:
            status, text = answer.status, _without_token(await answer.text())
    if status in _REFUSED:
        return _refused(livekit, text)
    if status != 200:
        return fail(
            f"{livekit.url} answers a token with status {status} ({text})",
            f"check that {livekit.setting} is a LiveKit server of version 1",
        )
    async with api.LiveKitAPI(livekit.url, livekit.key, livekit.secret, timeout=_TIMEOUT) as calls:
        try:
            await calls.room.list_rooms(api.ListRoomsRequest())
        except api.ServerError as error:
            if error.status in _REFUSED:
                return _refused(livekit, _without_token(error.message))
            return fail(f"{livekit.url} does not list its rooms ({error.message})", "see its log")
    return ok(f"the server accepts the key {livekit.key}")


def _refused(livekit: Server, said: str) -> Finding:
    told = f"{livekit.url} refuses our token: {said.rstrip('.') or 'it does not say why'}"
    if any(word in said for word in _TIME_WORDS):
        return fail(told, "set the clocks of both machines, for example by NTP")
    return fail(told, "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to a pair that this server knows")


def _without_token(text: str) -> str:
    """Return the server's words, shortened; it repeats the token, which is nobody's business."""
    return _TOKEN.sub("…", text).strip()[:200]


async def clock(settings: Settings) -> Finding:
    """Compare our clock with the server's; a token counts by the server's."""
    url, setting = address(settings)
    http = Server(url, "", "", setting).http
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        before = time.time()
        async with session.get(f"{http}/", allow_redirects=False) as answer:
            told = answer.headers.get("Date")
        middle = (before + time.time()) / 2
    try:
        theirs = parsedate_to_datetime(told or "").timestamp()
    except ValueError:
        return warn(
            "the server does not tell the time, so that the clocks could not be compared",
            "see that both machines use NTP",
        )
    ahead = middle - theirs - 0.5  # the header is cut down to a whole second
    told = f"ours is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's"
    remedy = "set the clocks of both machines, for example by NTP"
    if abs(ahead) > LEEWAY_SECONDS:
        return fail(f"{told}, so that it refuses our tokens", remedy)
    if abs(ahead) > SUSPICIOUS_SECONDS:
        return warn(told, remedy, clock_skew_seconds=round(ahead, 1))
    return ok("the same as the server's, within 2 s", clock_skew_seconds=round(ahead, 1))
