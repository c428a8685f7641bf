"""Runs one rule against one plugin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from tests.conformance.kit import deadlines
from tests.conformance.kit.backend import Backend
from tests.conformance.kit.bench import Bench
from tests.conformance.kit.plugin import PluginUnderTest
from tests.conformance.kit.proxy import FaultProxy
from tests.conformance.kit.rules import Broken, NotClaimed, Rule, RuleBroken
from tests.conformance.kit.stt_bench import stt_bench
from tests.conformance.kit.tts_bench import tts_bench

Result = Literal["kept", "broken", "expected", "mended", "not claimed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a plugin did.

    Attributes:
        result: ``kept``; ``broken``; ``expected`` to be broken, and it is; ``mended``: expected to
            be broken, and it is not; ``not claimed``: the rule is about something that the plugin
            does not claim to do.
        detail: What was seen, or the reason.
    """

    result: Result
    detail: str = ""


async def run_rule(
    rule: Rule, plugin: PluginUnderTest, server: Backend, *, soak: bool = False
) -> None:
    """Check one rule.

    Args:
        rule: The rule.
        plugin: Whom it binds.
        server: The plugin's running server; it is reset first.
        soak: Whether to run the full form of the case.

    Raises:
        RuleBroken: The plugin breaks it.
        NotClaimed: The plugin's capabilities say that it is not bound.
    """
    await server.reset()
    limit = deadlines.SOAK_CASE if soak else deadlines.CASE
    async with _left_overs_cancelled(), FaultProxy(server.address) as proxy:
        make = partial(plugin.make, proxy.address)
        bench = Bench(make, server, proxy, soak, plugin.change, plugin.ear)
        try:
            async with asyncio.timeout(limit), _on_bench(rule, bench) as ready:
                await rule.check(ready)
        except NotClaimed:
            raise
        except Broken as broken:
            raise RuleBroken(rule, str(broken)) from None
        except TimeoutError:
            raise RuleBroken(rule, f"the case was not over after {limit:.0f} s") from None
        except Exception as error:
            raise RuleBroken(rule, f"{type(error).__name__} came out: {error}") from error


async def judge(
    rule: Rule, plugin: PluginUnderTest, server: Backend, *, soak: bool = False
) -> Outcome:
    """Check one rule and compare with what is expected of the plugin."""
    if rule.name in plugin.lacks:
        return Outcome("not claimed", plugin.lacks[rule.name])
    reason = plugin.expected.get(rule.name)
    try:
        await run_rule(rule, plugin, server, soak=soak)
    except NotClaimed as what:
        return Outcome("not claimed", str(what))
    except RuleBroken as broken:
        return Outcome("expected", reason) if reason else Outcome("broken", str(broken))
    return Outcome("mended", reason) if reason else Outcome("kept")


def _on_bench(rule: Rule, bench: Bench) -> AbstractAsyncContextManager[Any]:
    return tts_bench(bench) if rule.kind == "tts" else stt_bench(bench)


@asynccontextmanager
async def _left_overs_cancelled() -> AsyncIterator[None]:
    """Keep what a broken plugin leaves behind from disturbing the next case."""
    before = asyncio.all_tasks()
    try:
        yield
    finally:
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
