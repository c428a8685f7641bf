import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from livekit.agents.llm import ChatContext

from agent.llm.llama import LlamaServer
from agent.llm.prefill import Prefill
from agent.settings import Settings
from tests.support.ports import free_port

pytestmark = pytest.mark.unit


def template(messages: list[dict[str, str]]) -> str:
    said = "".join(f"<{each['role']}>{each['content']}</>" for each in messages)
    return f"{said}<assistant>"


class Server:
    """A language model's server that notes what it is given to read, and goes on on demand."""

    def __init__(self) -> None:
        self.read: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self.template = template
        self.tokens, self.milliseconds = 5, 20.0
        self.likely: object = [{"token": "?", "logprob": math.log(0.75)}]

    @property
    def prompts(self) -> list[str]:
        return [body["prompt"].removeprefix("<system>Be brief.</>") for body in self.read]

    async def render(self, request: web.Request) -> web.Response:
        return web.json_response({"prompt": self.template((await request.json())["messages"])})

    async def complete(self, request: web.Request) -> web.Response:
        self.read.append(await request.json())
        self.asked.set()
        await self.answer.wait()
        return web.json_response(
            {
                "content": "",
                "timings": {"prompt_n": self.tokens, "prompt_ms": self.milliseconds},
                "completion_probabilities": [{"top_logprobs": self.likely}],
            }
        )


@asynccontextmanager
async def prefilling(
    slot: int | None = None, *, verdict_pays: bool = True
) -> AsyncIterator[tuple[Prefill, Server]]:
    server, port = Server(), free_port()
    app = web.Application()
    app.router.add_post("/apply-template", server.render)
    app.router.add_post("/completion", server.complete)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    history = ChatContext.empty()
    history.add_message(role="system", content="Be brief.")
    settings = Settings().model_copy(update={"llm_port": port})
    prefill = Prefill(LlamaServer(settings, slot), lambda: history, lambda: verdict_pays)
    try:
        yield prefill, server
    finally:
        server.answer.set()
        await prefill.aclose()
        await runner.cleanup()


async def read_all(prefill: Prefill) -> None:
    async with asyncio.timeout(5), prefill.at_rest():
        pass


async def judged(prefill: Prefill, text: str) -> None:
    """Have words judged, and the rest read."""
    judging = prefill.judge(text)
    assert judging
    async with asyncio.timeout(5):
        assert await judging == pytest.approx(0.75)
    await read_all(prefill)


async def asked(server: Server) -> None:
    async with asyncio.timeout(5):
        await server.asked.wait()


async def test_what_is_said_is_read_behind_the_conversation_but_not_answered() -> None:
    async with prefilling(slot=1) as (prefill, server):
        server.answer.set()
        prefill.hear("What is the")  # too little to be worth it
        prefill.hear("What is the cap")
        await asked(server)
        await read_all(prefill)
        [body] = server.read
        # The last word may change yet, and nothing that closes the message is read.
        assert body["prompt"] == "<system>Be brief.</><user>What is the"
        assert body["n_predict"] == 0
        assert body["id_slot"] == 1


async def test_the_conversation_is_read_before_the_caller_speaks() -> None:
    async with prefilling() as (prefill, server):
        server.answer.set()
        prefill.read_ahead("Hello.")
        await asked(server)
        await read_all(prefill)
        assert server.prompts == ["<assistant>Hello.</><user>"]


async def test_what_a_caller_said_over_the_greeting_is_read_behind_it() -> None:
    async with prefilling() as (prefill, server):
        prefill.read_ahead("Hello.")
        await asked(server)
        prefill.hear("What is the cap")
        prefill.read_ahead()  # the greeting was broken off, and is in the history: later
        server.answer.set()
        async with asyncio.timeout(5):
            while len(server.read) < 2:
                await asyncio.sleep(0.01)
        await read_all(prefill)
        assert server.prompts == ["<assistant>Hello.</><user>", "<user>What is the"]


async def requests(server: Server, number: int) -> None:
    async with asyncio.timeout(5):
        while len(server.read) < number:
            await asyncio.sleep(0.01)


async def test_a_template_without_a_place_for_words_is_left_alone() -> None:
    async with prefilling() as (prefill, server):
        server.template = lambda messages: "something else"
        server.answer.set()
        prefill.hear("What is the cap")
        await read_all(prefill)
        assert not server.read


async def ready_to_judge(prefill: Prefill, server: Server) -> None:
    server.answer.set()
    prefill.read_ahead()
    await asked(server)
    await read_all(prefill)
    server.read.clear()


async def test_words_are_judged_by_what_follows_them() -> None:
    async with prefilling(slot=1) as (prefill, server):
        await ready_to_judge(prefill, server)
        judging = prefill.judge("Can you name one animal?")
        assert judging
        async with asyncio.timeout(5):
            assert await judging == pytest.approx(0.75)
        [body] = server.read
        assert body["prompt"] == "<system>Be brief.</><user>Can you name one animal"
        assert (body["n_predict"], body["id_slot"]) == (1, 1)


async def test_what_is_heard_is_judged_and_read_to_its_end_before_it_is_certain() -> None:
    async with prefilling(slot=1) as (prefill, server):
        await ready_to_judge(prefill, server)
        prefill.hear("Can you name one animal?")
        await requests(server, 2)
        await judged(prefill, "Can you name one animal?")
        assert server.prompts == [
            "<user>Can you name one animal",
            "<user>Can you name one animal?</><assistant>",
        ]
        assert [body["n_predict"] for body in server.read] == [1, 0]
        assert server.read[1]["id_slot"] == 1


async def test_words_that_go_on_are_not_read_to_their_end() -> None:
    async with prefilling() as (prefill, server):
        await ready_to_judge(prefill, server)
        server.likely = [{"token": " that", "logprob": math.log(0.9)}]
        prefill.hear("Can you name one animal?")
        await requests(server, 1)
        judging = prefill.judge("Can you name one animal.")  # the same words
        assert judging
        async with asyncio.timeout(5):
            assert await judging == 0.0
        await read_all(prefill)
        assert server.prompts == ["<user>Can you name one animal"]


@pytest.mark.parametrize(
    ("heard", "said", "read"),
    [
        # Other words are judged again,
        ("Can you name one anchor", "Can you name one animal?", ["anchor", "animal"]),
        # another mark at the end is read with the answer.
        ("Can you name one animal.", "Can you name one animal?", ["animal"]),
    ],
)
async def test_what_was_not_said_is_not_read_to_its_end(
    heard: str, said: str, read: list[str]
) -> None:
    async with prefilling() as (prefill, server):
        await ready_to_judge(prefill, server)
        server.answer.clear()
        prefill.hear(heard)
        prefill.hear(heard)
        await requests(server, 1)
        judging = prefill.judge(said)
        assert judging
        server.answer.set()
        async with asyncio.timeout(5):
            assert await judging == pytest.approx(0.75)
        await read_all(prefill)
        assert server.prompts == [f"<user>Can you name one {word}" for word in read]


async def test_who_is_mostly_heard_wrong_is_not_read_to_the_end() -> None:
    async with prefilling() as (prefill, server):
        await ready_to_judge(prefill, server)

        async def turn(heard: str, said: str) -> int:
            """Return for how many guesses the end was read."""
            server.read.clear()
            prefill.hear(heard)
            await read_verdict(prefill, said)
            await read_all(prefill)
            return sum(body["n_predict"] == 0 for body in server.read)

        async def read_verdict(prefill: Prefill, said: str) -> None:
            await requests(server, 1)
            async with asyncio.timeout(5):
                while prefill._guess and prefill._guess.running:
                    await asyncio.sleep(0.01)
                judging = prefill.judge(said)
                assert judging
                await judging

        assert await turn("Can you name one anchor?", "Can you name one animal?") == 1
        assert await turn("Can you name one apple?", "Can you name one animal?") == 0
        # Half of the last guesses have to be right.
        assert await turn("Can you name one animal?", "Can you name one animal?") == 0
        assert await turn("Can you name one animal?", "Can you name one animal?") == 0
        assert await turn("Can you name one animal?", "Can you name one animal?") == 1


async def test_a_word_or_two_are_not_worth_a_guess() -> None:
    async with prefilling() as (prefill, server):
        await ready_to_judge(prefill, server)
        prefill.hear("Can you")
        async with asyncio.timeout(1), prefill.at_rest():
            prefill.hear("Can you name one animal")  # beside an answer
        assert not server.read


async def test_an_answer_that_is_late_anyway_waits_for_no_verdict() -> None:
    async with prefilling(verdict_pays=False) as (prefill, server):
        await ready_to_judge(prefill, server)
        assert prefill.judge("Can you name one animal?") is None
        assert not server.read
        # One that is there already is taken all the same.
        prefill.hear("Can you name one animal")
        await requests(server, 1)
        await judged(prefill, "Can you name one animal?")
        assert prefill.judge("Can you name one apple?") is None


async def test_a_wrong_guess_does_not_outlive_the_call() -> None:
    async with prefilling(verdict_pays=False) as (prefill, server):
        await ready_to_judge(prefill, server)
        server.answer.clear()
        prefill.hear("Can you name one animal")
        await requests(server, 1)
        assert prefill.judge("Can you name one apple?") is None
        assert prefill._running, "it is on its way out"
        await read_all(prefill)
        assert not prefill._running


async def test_an_answer_comes_after_the_verdict() -> None:
    async with prefilling() as (prefill, server):
        await ready_to_judge(prefill, server)
        server.answer.clear()
        server.asked.clear()
        judging = prefill.judge("Can you name one animal?")
        assert judging
        await asked(server)
        begun = asyncio.Event()

        async def answer() -> None:
            async with prefill.at_rest():
                begun.set()

        answering = asyncio.create_task(answer())
        await asyncio.sleep(0)
        assert not begun.is_set()
        server.answer.set()
        async with asyncio.timeout(5):
            await answering
        assert judging.done()


@pytest.mark.parametrize(
    ("tokens", "milliseconds", "able"),
    [
        (5, 199.0, True),
        (5, 201.0, False),
        (1, 99.0, True),
        (1, 101.0, False),
        (0, 0.0, False),  # all was read before, which tells nothing
        (100, 2400.0, True),  # the greeting and all before it
        (100, 2600.0, False),
    ],
)
async def test_only_a_server_that_reads_fast_is_asked_to_judge(
    tokens: int, milliseconds: float, able: bool
) -> None:
    async with prefilling() as (prefill, server):
        assert prefill.judge("Can you name one animal?") is None  # nothing is known of it yet
        server.tokens, server.milliseconds = tokens, milliseconds
        await ready_to_judge(prefill, server)
        assert (prefill.judge("Can you name one animal?") is not None) is able


@pytest.mark.parametrize("likely", [None, "none", [{"token": "?"}], [1]])
async def test_a_server_that_tells_nothing_gives_no_verdict(likely: object) -> None:
    async with prefilling() as (prefill, server):
        await ready_to_judge(prefill, server)
        server.likely = likely
        judging = prefill.judge("Can you name one animal?")
        assert judging
        async with asyncio.timeout(5):
            assert await judging is None


async def test_only_the_newest_words_are_read_next() -> None:
    async with prefilling() as (prefill, server):
        prefill.hear("What is the capital")
        await asked(server)
        prefill.hear("What is the capital of the big")
        prefill.hear("What is the capital of the big island")
        server.answer.set()
        async with asyncio.timeout(5):
            while len(server.read) < 2:
                await asyncio.sleep(0.01)
        await read_all(prefill)
        assert server.prompts == ["<user>What is the", "<user>What is the capital of the big"]


async def test_another_utterance_begins_anew() -> None:
    async with prefilling() as (prefill, server):
        server.answer.set()
        prefill.hear("What is the capital of the big island")
        await asked(server)
        await read_all(prefill)
        server.asked.clear()
        prefill.hear("And of the small")
        await asked(server)
        await read_all(prefill)
        assert server.prompts == ["<user>What is the capital of the big", "<user>And of the"]


async def test_nothing_is_read_beside_an_answer() -> None:
    async with prefilling() as (prefill, server):
        prefill.hear("What is the capital")
        await asked(server)
        prefill.hear("What is the capital of the big island")
        begun = asyncio.Event()

        async def answer() -> None:
            async with prefill.at_rest():
                begun.set()
                prefill.hear("What is the capital of the big island in the sea")
                await asyncio.sleep(0)

        answering = asyncio.create_task(answer())
        await asyncio.sleep(0)
        assert not begun.is_set()  # the server is still reading
        server.answer.set()
        async with asyncio.timeout(5):
            await answering
        assert server.prompts == ["<user>What is the"]


async def test_a_server_that_is_away_does_no_harm() -> None:
    nowhere = Settings().model_copy(update={"llm_port": free_port()})
    prefill = Prefill(LlamaServer(nowhere, None), ChatContext.empty)
    prefill.hear("What is the capital")
    await read_all(prefill)
    await prefill.aclose()


async def test_a_server_that_hangs_does_not_hold_up_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.llm.prefill._PATIENCE", 0.05)
    async with prefilling() as (prefill, server):
        prefill.hear("What is the capital")
        await asked(server)
        async with asyncio.timeout(1), prefill.at_rest():
            assert not server.answer.is_set()
