"""Runs the benchmark: ``python -m tests.bench`` from the top of a clone, or ``python tests/bench`` from anywhere."""

import sys
from pathlib import Path

if __package__:
    from .command import main
else:
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from bench.command import main

if __name__ == "__main__":
    sys.exit(main())
