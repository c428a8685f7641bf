import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from livekit import rtc

from agent.caller.access import SigningKey, TokenEndpoint
from agent.errors import UserError
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
        yield f"http://127.0.0.1:{port}/token"
    finally:
        await runner.cleanup()


async def refused_by(answer: web.Response, **options: str) -> tuple[str, dict[str, object]]:
    """Return the sentence that comes of an endpoint's answer, and what it was asked."""
    asked: dict[str, object] = {}

    async def handler(request: web.Request) -> web.Response:
        asked.update(await request.json())
        return answer

    async with serving(handler) as url:
        with pytest.raises(UserError) as failure:
            await TokenEndpoint(url, **options).join(rtc.Room())
        return str(failure.value).replace(url, "URL"), asked


async def test_a_dead_token_endpoint_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}/token"
    with pytest.raises(UserError, match=f"^No token endpoint answers at {url}; .*--token-url"):
        await TokenEndpoint(url).join(rtc.Room())


async def test_the_reason_of_a_refusal_is_passed_on() -> None:
    sentence, _ = await refused_by(web.json_response({"error": "Not you."}, status=403))
    assert sentence == (
        "The token endpoint at URL refused with status 403 (Not you.); check --token-url."
    )


@pytest.mark.parametrize(
    "answer", ["OK", "[]", '{"server_url": "ws://127.0.0.1:1"}', '{"participant_token": "t"}']
)
async def test_what_is_no_token_endpoint_is_said_to_be_none(answer: str) -> None:
    sentence, _ = await refused_by(web.Response(text=answer))
    assert sentence == (
        "What answers at URL gave no server URL and token, so it is no token endpoint; "
        "check --token-url."
    )


@pytest.mark.parametrize(
    ("url_field", "token_field"),
    [("server_url", "participant_token"), ("serverUrl", "participantToken")],
)
async def test_both_spellings_of_an_answer_are_understood(url_field: str, token_field: str) -> None:
    server = f"ws://127.0.0.1:{free_port()}"
    answer = web.json_response({url_field: server, token_field: "t"}, status=201)
    sentence, _ = await refused_by(answer)
    assert sentence == (f"No LiveKit server answers at {server}; start it, or correct LIVEKIT_URL.")


async def test_a_language_goes_to_the_agent() -> None:
    _, asked = await refused_by(web.Response(status=500), language="fr")
    [agent] = asked["room_config"]["agents"]  # type: ignore[index]
    assert json.loads(agent["metadata"]) == {"language": "fr"}


async def test_nothing_is_asked_for_without_need() -> None:
    _, asked = await refused_by(web.Response(status=500))
    assert asked == {}


@pytest.mark.parametrize("room", ["some-room", None], ids=["named room", "fresh room"])
async def test_a_refused_key_names_the_settings_and_repeats_no_token(room: str | None) -> None:
    tokens: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        return web.Response(status=401, text=f"invalid token: {tokens[-1]}")

    async with serving(handler) as url:
        url = url.replace("http:", "ws:").removesuffix("/token")
        key = SigningKey(url, "key", "s" * 32, agent_name="eloquence", room=room)
        with pytest.raises(UserError, match="LIVEKIT_API_KEY and LIVEKIT_API_SECRET") as failure:
            await asyncio.wait_for(key.join(rtc.Room()), 20)
    assert tokens
    assert all(token not in str(failure.value) for token in tokens)


def test_a_secret_is_not_in_the_representation() -> None:
    assert "hush" not in repr(SigningKey("ws://h", "key", "hush", agent_name=None))
