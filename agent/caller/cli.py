"""The command ``eloquence call``."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from agent.caller.access import Access, SigningKey, TokenEndpoint
from agent.caller.call import CallFailed, CallOptions, place_call
from agent.caller.report import CallReport
from agent.caller.tape import write_wav
from agent.errors import UserError
from agent.livekit.keys import server_keys
from agent.settings import Settings, load


def call(
    wav: Annotated[
        list[Path], typer.Option("--wav", help="What to say, one WAV per turn; repeat it.")
    ],
    room: Annotated[
        str | None,
        typer.Option(help="Join this room with a token of our own; default: a fresh room."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Write what the agent said to this WAV.")
    ] = None,
    stereo: Annotated[
        bool, typer.Option("--stereo", help="Record both sides: caller left, agent right.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file.")
    ] = None,
    token_url: Annotated[
        str | None,
        typer.Option(help="Token endpoint; default: the one of `eloquence web` on this machine."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Tell the agent to expect this language, such as `fr`.")
    ] = None,
    barge_in: Annotated[
        float | None,
        typer.Option(min=0, help="Speak the next WAV so many seconds into each answer."),
    ] = None,
    greeting_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds until the agent must have begun to greet.")
    ] = 30.0,
    answer_timeout: Annotated[
        float, typer.Option(min=1, help="Seconds until the agent must have begun to answer.")
    ] = 30.0,
) -> None:
    """Call the agent with recorded speech and measure how it answers."""
    # The SDK logs tokens that a server refuses; what goes wrong becomes a sentence of ours anyway.
    logging.getLogger("livekit").setLevel(logging.CRITICAL)
    options = CallOptions(
        wavs=wav,
        access=_access(load(), room, token_url, language),
        greeting_timeout=greeting_timeout,
        answer_timeout=answer_timeout,
        barge_in=barge_in,
    )
    try:
        report = asyncio.run(place_call(options, lambda line: typer.echo(line, err=True)))
    except CallFailed as failure:
        _hand_out(failure.report, record, json_file, stereo=stereo)
        raise
    _hand_out(report, record, json_file, stereo=stereo)


def _access(
    settings: Settings, room: str | None, token_url: str | None, language: str | None
) -> Access:
    if room and token_url:
        raise UserError(
            "--room and --token-url exclude each other: a token endpoint chooses the room itself."
        )
    if not room:
        url = token_url or f"http://127.0.0.1:{settings.web_port}/token"
        code = settings.lan_access_code
        return TokenEndpoint(url, language, code.get_secret_value() if code else None)
    keys = server_keys(settings)
    return SigningKey(
        url=settings.livekit_url or f"ws://127.0.0.1:{settings.livekit_port}",
        api_key=keys.key,
        api_secret=keys.secret,
        agent_name=settings.agent_name,
        room=room,
        language=language,
    )


def _hand_out(
    report: CallReport, record: Path | None, json_file: Path | None, *, stereo: bool
) -> None:
    if text := report.render():
        typer.echo(text)
    if json_file:
        document = json.dumps(report.to_json(), ensure_ascii=False, indent=2)
        try:
            json_file.write_text(document + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"Cannot write --json {json_file}: {error.strerror}.") from None
    if record:
        channels = (report.caller, report.agent) if stereo else (report.agent,)
        try:
            write_wav(record, *channels)
        except OSError as error:
            raise UserError(f"Cannot write --record {record}: {error.strerror}.") from None
