"""`python -m delivery.sandbox <config.json>`: run one sandbox in the foreground until SIGTERM."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

from delivery.sandbox.config import SandboxConfig, SandboxError
from delivery.sandbox.leftovers import sweep
from delivery.sandbox.world import World


def main() -> int:
    """Run until told to stop; a refusal is one line on standard error."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = SandboxConfig.read(Path(sys.argv[1]))
    try:
        world = World(config)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: world.stop())
        world.run()
        world.close()
    except SandboxError as error:
        (config.state_dir / "refused").write_text("\n".join((error.what, error.why, error.hint)))
        return 1
    finally:
        sweep(config)
    return 0


if __name__ == "__main__":
    sys.exit(main())
