"""Stops the embedded database when a demo was killed without being asked: `python -m meshline.demo.tidier`.

The kernel ends a killed demo's children, but the database must be asked to shut down. Our standard input is a pipe
that only the demo writes to, so its end is the demo's end, however that came.
"""

import sys
import time

from meshline import postgres

PATIENCE_SECONDS = 15.0


def main() -> None:
    """Wait for the end of the demo, then for the last user of its database."""
    sys.stdin.buffer.read()
    server = postgres.server(postgres.local_dir())
    ends = time.monotonic() + PATIENCE_SECONDS
    while not server.stop_if_unused() and time.monotonic() < ends:
        time.sleep(0.1)


if __name__ == "__main__":
    main()
