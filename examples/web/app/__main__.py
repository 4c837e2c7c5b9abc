"""`python -m app`: serve on port 8080 (PORT)."""

import os

from app.server import Server, run

if __name__ == "__main__":
    run(Server(("", int(os.environ.get("PORT", "8080")))))
