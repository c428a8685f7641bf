"""The worker as a copy of a process that has imported most of it; see `agent.up.zygote`."""

import sys

from agent.cli import main as cli

if __name__ == "__main__":
    sys.argv = ["eloquence", "worker"]
    cli.main()
