"""The program inside the tests' tasks: its environment says how it behaves. Standard library only.

CRASH  exit with this code instead of serving          FAIL   share of answers that are 500 (0 to 1)
SLOW   seconds every answer takes                      NAME   what it answers with
Paths: `/health` (200), `/status/<n>` (answers n), `/die` (ends the process), everything else: NAME.
"""

import os
import random
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers as the environment says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = 200
        if self.path == "/die":
            os._exit(9)
        if self.path.startswith("/status/"):
            status = int(self.path.rsplit("/", 1)[-1])
        elif self.path != "/health":
            time.sleep(float(os.environ.get("SLOW", "0")))
            if random.random() < float(os.environ.get("FAIL", "0")):
                status = 500
        body = os.environ.get("NAME", "app").encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: the load balancer logs requests."""


sys.stdout.write(f"starting {os.environ.get('NAME', 'app')}\n")
sys.stdout.flush()
if os.environ.get("CRASH"):
    sys.stderr.write("last words\n")
    sys.exit(int(os.environ["CRASH"]))
#: The default of 5 drops connections under load.
ThreadingHTTPServer.request_queue_size = 256
server = ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
