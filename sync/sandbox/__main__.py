"""`python -m sync.sandbox`: the simulators without Django, for tests and benchmarks."""

import sys

from sync.sandbox.server import main

if __name__ == "__main__":
    sys.exit(main())
