"""Measuring the speech engine against what a user would have without it."""

import os

# As in the engine: ONNX Runtime's builds send usage events unless told not to before they load.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
