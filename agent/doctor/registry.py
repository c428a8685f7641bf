"""The checks, in the order in which the report has them."""

from collections.abc import Sequence

from agent.doctor import (
    configuration,
    installed,
    livekit_server,
    machine,
    media,
)
from agent.doctor.check import Check, blocking
from agent.doctor.parts import part

# What cannot be examined without settings that are valid.
_SETTINGS = ("settings",)

CHECKS: Sequence[Check] = (
    # To name all recognisers, their libraries are loaded.
    Check("settings", blocking(configuration.settings_make_sense), deadline=8.0),
    Check("ports", configuration.ports_are_ours, _SETTINGS, deadline=4.0),
    Check("processor", blocking(machine.processor)),
    Check("memory", blocking(machine.memory)),
    Check("disk", blocking(machine.disk), _SETTINGS),
    # The first call into CUDA takes seconds.
    Check("gpu", blocking(machine.gpu), _SETTINGS, deadline=8.0),
    Check("versions", blocking(installed.versions)),
    Check("packages", blocking(installed.packages), _SETTINGS),
    # What was written to since it was verified is read, a gigabyte in a second or two.
    Check("models", installed.models, _SETTINGS, deadline=8.0),
    Check("livekit program", blocking(installed.server_program), _SETTINGS),
    Check("livekit", livekit_server.reachable, _SETTINGS),
    Check("clock", livekit_server.clock, ("livekit",)),
    Check("livekit key", livekit_server.key_is_valid, ("livekit", "clock")),
    Check("media", media.candidates_are_reachable, ("livekit key",)),
    part("engine"),
    part("worker"),
    part("web"),
    Check("llm", "agent.doctor.thinking:answers", _SETTINGS),
    Check("speech", "agent.doctor.speech:round_trip", ("engine",), deadline=4.0, alone=True),
    Check("llm speed", "agent.doctor.thinking:speed", ("llm",), deadline=5.5, alone=True),
    Check(
        "call",
        "agent.doctor.short_call:agent_answers",
        ("livekit key", "engine", "worker"),
        deadline=10.0,
        alone=True,
    ),
    # Last: only some agents have tools, and reading their description takes a slow machine seconds.
    Check("llm tools", "agent.doctor.thinking:tools", ("llm speed",), deadline=5.5, alone=True),
)
