"""A service to supervise: `up_stub.py PORT [STATE_FILE]`.

It answers GET with 200, or with the status and the JSON that STATE_FILE holds at that moment. Like
a worker it answers on ELOQUENCE_STANDBY_PORT too, if that is set, and waits for PORT to be free.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = 200, {"ready": True}
        if len(sys.argv) > 2:
            status, body = json.loads(Path(sys.argv[2]).read_text())
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: object) -> None:
        pass


def leave(number: int, frame: FrameType | None) -> None:
    print("stopping", flush=True)
    sys.exit(0)


def serve(port: int) -> None:
    while True:
        try:
            server = HTTPServer(("127.0.0.1", port), Handler)
        except OSError:
            time.sleep(0.02)
            continue
        print("serving", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    if standby := os.environ.get("ELOQUENCE_STANDBY_PORT"):
        threading.Thread(target=serve, args=[int(standby)], daemon=True).start()
    serve(int(sys.argv[1]))
