"""The engine: one process that owns the speech models and serves every call.

Only the engine process imports this package; plugins talk to it over a socket (see
`livekit.plugins.local.protocol`).
"""

import os
import sys

# ONNX Runtime's builds send usage events to their maker unless told not to before they are loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The hub's library would fetch a list of programs, to tell the hub from which of them it runs.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# CTranslate2 hands each of the hundreds of small steps of a transcript to all its threads. libgomp
# lets those that wait for the next one sleep at once where it takes the cores to be overbooked, and
# waking one takes longer than a step. Kept awake for two milliseconds, two threads need half the
# time, and less of the processor. It reads this when it is loaded.
if sys.platform == "linux":
    os.environ.setdefault("OMP_WAIT_POLICY", "ACTIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "200000")
