"""Whoever waits for a part is woken: in the process itself, and at the other end of a stream."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from livekit.plugins.local import readyz as readyz_module
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.models import Progress
from livekit.plugins.local.readiness import Component, Pace, Readiness, arriving
from livekit.plugins.local.readyz import Readyz

from agent.readiness import Readiness as Answer
from agent.readiness_feed import asked_of, first, told_by
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

READY = Component("ready")
BROKEN = Component("failed", "It is broken; mend it.", code="failed", remedy="mend it")


@asynccontextmanager
async def served(readiness: Readiness, path: Path) -> AsyncIterator[str]:
    """Serve a readiness on a socket; yield its address."""
    app = web.Application()
    Readyz(readiness).add_routes(app)
    # Streams must end by themselves when the application stops.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=30)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    try:
        yield f"unix:{path}"
    finally:
        async with asyncio.timeout(10):
            await runner.cleanup()


def test_one_ready_component_of_each_needed_group_is_enough() -> None:
    readiness = Readiness(["disk", "stt", "tts:kokoro", "tts:espeak"], needs=["stt", "tts"])
    assert not readiness.ready
    readiness.set("stt", READY)
    readiness.set("tts:espeak", READY)
    assert readiness.ready
    assert not readiness.settled
    readiness.set("tts:kokoro", BROKEN)
    readiness.set("disk", READY)
    assert readiness.ready
    assert readiness.settled


def test_a_component_that_stands_in_may_come_and_go() -> None:
    readiness = Readiness(["stt"])
    readiness.set("stt:small", READY)
    assert readiness.ready
    readiness.remove("stt:small")
    assert not readiness.ready


def test_without_the_sentences_there_are_states_and_codes() -> None:
    readiness = Readiness(["engine"])
    readiness.set("engine", Component("loading", "soon", parts={"stt": BROKEN}))
    told = readiness.as_dict(terse=True)["components"]["engine"]
    assert (told["state"], told["message"]) == ("loading", "")
    part = told["parts"]["stt"]
    assert (part["state"], part["code"]) == ("failed", "failed")
    assert (part["message"], part["remedy"]) == ("", "")


@pytest.mark.parametrize("end", [READY, BROKEN])
async def test_success_and_failure_wake_whoever_waits(end: Component) -> None:
    readiness = Readiness(["stt"])
    waiting = [asyncio.create_task(readiness.until_settled("stt", timeout=10)) for _ in range(3)]
    await asyncio.sleep(0)
    readiness.set("stt", Component("loading"))
    readiness.set("stt", end)
    assert await asyncio.gather(*waiting) == [end] * 3


async def test_each_wait_has_a_deadline_of_its_own_and_can_be_cancelled() -> None:
    readiness = Readiness(["stt"])
    patient = asyncio.create_task(readiness.until(lambda r: r.ready, timeout=10))
    cancelled = asyncio.create_task(readiness.until(lambda r: r.ready))
    assert not await readiness.until(lambda r: r.ready, timeout=0.01)
    cancelled.cancel()
    await asyncio.wait({cancelled})
    assert cancelled.cancelled()
    readiness.set("stt", READY)
    assert await patient


async def test_what_does_not_change_wakes_nobody() -> None:
    readiness = Readiness(["stt"])
    change = readiness.next_change()
    readiness.set("stt", Component("missing"))
    assert not change.is_set()
    readiness.set("stt", READY)
    assert change.is_set()


async def test_a_stream_tells_every_change_and_that_the_process_is_gone(tmp_path: Path) -> None:
    readiness = Readiness(["stt"])
    seen: list[Answer | None] = []
    async with aclosing(told_by(f"unix:{tmp_path}/s")()) as answers, asyncio.timeout(10):
        assert await anext(answers) is None
        async with served(readiness, tmp_path / "s"):
            while (answer := await anext(answers)) is None:
                pass
            assert answer.components == {"stt": Component("missing")}
            download = Component("downloading", "base", 1, 4, rate=2.0, eta=1.5)
            for part in (download, BROKEN, READY):
                readiness.set("stt", part)
                seen.append(await anext(answers))
        assert await anext(answers) is None
    assert [each and each.components["stt"] for each in seen] == [download, BROKEN, READY]
    assert [each and each.ready for each in seen] == [False, False, True]


async def test_a_plain_question_is_answered_as_before(tmp_path: Path) -> None:
    readiness = Readiness(["stt"])
    async with served(readiness, tmp_path / "s"):
        connector = aiohttp.UnixConnector(str(tmp_path / "s"))
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get("http://engine/readyz") as response:
                assert response.status == 503
            readiness.set("stt", READY)
            async with session.get("http://engine/readyz") as response:
                assert response.status == 200
                part = {"state": "ready", "message": "", "done": None, "total": None}
                assert (await response.json())["components"] == {"stt": part}


async def test_more_listeners_than_can_be_served_are_answered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readyz_module, "MOST_LISTENERS", 1)
    path = tmp_path / "socket"
    async with (
        served(Readiness(["stt"]), path),
        aiohttp.ClientSession("http://part", connector=aiohttp.UnixConnector(str(path))) as client,
    ):
        async with client.get("/readyz?watch") as listener:
            await listener.content.readline()
            async with client.get("/readyz?watch") as another:
                assert (another.status, another.content_type) == (503, "application/json")
        # Whoever leaves makes room.
        kind = ""
        async with asyncio.timeout(10):
            while kind != "text/event-stream":
                async with client.get("/readyz?watch") as late:
                    kind = late.content_type
                await asyncio.sleep(0.05)


async def test_a_listener_learns_within_milliseconds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The figure is reported; what is asserted is only that nothing is waited for."""
    readiness = Readiness(["stt"])
    delays: list[float] = []
    async with (
        served(readiness, tmp_path / "s") as address,
        aclosing(told_by(address)()) as answers,
        asyncio.timeout(20),
    ):
        await anext(answers)
        for at in range(50):
            began = time.perf_counter()
            readiness.set("stt", Component("loading", str(at)))
            await anext(answers)
            delays.append(1000 * (time.perf_counter() - began))
    median = sorted(delays)[len(delays) // 2]
    record_property("wake_median_ms", f"{median:.2f}")
    print(f"a listener learnt after {median:.2f} ms (median), {max(delays):.2f} ms (longest)")
    assert median < 1000


async def test_a_server_of_others_is_asked_until_it_can_serve() -> None:
    port, statuses = free_port(), iter([503, 503, 200])

    async def health(_: web.Request) -> web.Response:
        return web.Response(status=next(statuses))

    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    feed = asked_of(f"http://127.0.0.1:{port}", "/health")
    waiting = asyncio.create_task(first(feed, lambda answer: bool(answer and answer.ready)))
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with asyncio.timeout(10):
            assert (await waiting) == Answer(ready=True, settled=True)
    finally:
        await runner.cleanup()


def test_the_rate_is_that_of_the_last_seconds() -> None:
    pace = Pace(iter([0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]).__next__)
    assert pace.at(1_000_000) is None, "what an earlier attempt left says nothing"
    step = Progress("base", "downloading", "", 3_000_000, 9_000_000)
    assert arriving(step, pace).rate == 1_000_000
    assert [pace.at(3_000_000) for _ in range(3)][-1] == 0
    assert pace.at(3_600_000) == 100_000
    assert arriving(Progress("base", "downloading", "", 10, 20), pace).eta is None


def test_the_metrics_tell_the_same() -> None:
    readiness = Readiness(["stt"])
    readiness.set("stt", Component("downloading", "base", 25, 100))
    metrics.show_components(readiness)
    labels = {"component": "stt"}
    value = metrics.REGISTRY.get_sample_value
    name = "eloquence_engine_component"
    assert value(name, labels | {name: "downloading"}) == 1
    assert value(name, labels | {name: "ready"}) == 0
    assert value("eloquence_engine_download_bytes", labels) == 25
    assert value("eloquence_engine_download_size_bytes", labels) == 100


def test_json_says_what_to_do_about_a_failure() -> None:
    readiness = Readiness(["stt"])
    readiness.set("stt", BROKEN)
    (part,) = json.loads(json.dumps(readiness.as_dict()))["components"].values()
    assert part["message"] == "It is broken; mend it."
    assert (part["code"], part["remedy"]) == ("failed", "mend it")
