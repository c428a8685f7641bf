"""The worker as a copy of a process that has imported most of it; see `agent.up.zygote`."""

import sys

from agent.cli import main as cli
from agent.worker import job_server
from agent.worker import server as worker

if __name__ == "__main__":
    # The job processes must not see these variables either.
    worker.ignore_hosted_services()
    job_server.fork()
    sys.argv = ["eloquence", "worker"]
    cli.main()
