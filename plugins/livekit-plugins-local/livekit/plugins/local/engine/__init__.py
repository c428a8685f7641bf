"""The engine: one process that owns the speech models and serves every call.

Only the engine process imports this package; plugins talk to it over a socket (see
`livekit.plugins.local.protocol`).
"""

import os

# ONNX Runtime's builds send usage events to their maker unless told not to before they are loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# The hub's library would fetch a list of programs, to tell the hub from which of them it runs.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
