"""Run the engine on its own: ``python -m livekit.plugins.local.engine``."""

import argparse
import logging
import sys
from pathlib import Path

from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.packages import missing_for_engine
from platformdirs import user_cache_path


def main() -> int:
    """Parse the command line, serve, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--listen", default="http://127.0.0.1:8090", help="unix:PATH or http://HOST:PORT"
    )
    parser.add_argument("--models-dir", type=Path, default=user_cache_path("eloquence") / "models")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument("--stt-model", default="whisper-base")
    parser.add_argument(
        "--encoder-context", default="auto", choices=["auto", "full"], help="what Whisper encodes"
    )
    parser.add_argument("--stt-compute-type", default="auto", help="auto, or one of CTranslate2's")
    options = parser.parse_args()
    # Importing the libraries takes seconds; what is not installed is known before.
    if lacking := missing_for_engine(options.stt_model):
        sys.stderr.write(f"engine: {lacking[0].message}\n")
        return 1
    from livekit.plugins.local.engine.config import EngineConfig
    from livekit.plugins.local.engine.process import serve

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    config = EngineConfig(
        address=options.listen,
        models_dir=options.models_dir,
        device=options.device,
        stt_model=options.stt_model,
        stt_compute_type=options.stt_compute_type,
        encoder_context=options.encoder_context,
    )
    try:
        serve(config)
    except EngineError as error:
        sys.stderr.write(f"engine: {error.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
