"""The command line: `jsonl-audit COMMAND [PATH] …`, one module a command, each a thin skin over the API.

What all commands share: app.py (which commands there are, and how one is called), ending.py (exit codes, and words
for errors), streams.py (standard output and error, when they are pipes, full or closed), options.py (arguments),
output.py (the forms of records).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status; `args` are those of the process unless given.

    >>> main(["--version"])
    jsonl-audit ...
    0
    """
    given = list(sys.argv[1:] if args is None else args)
    try:
        if given == ["--version"]:  # asked by scripts all the time: answered before anything is imported
            return _version()
        from jsonl_audit.cli import ending

        return ending.run(given)
    except KeyboardInterrupt:
        return 130


def _version() -> int:
    from jsonl_audit import __version__

    try:
        print("jsonl-audit", __version__, flush=True)
    except OSError as error:
        from jsonl_audit.cli import ending

        return ending.of_stdout(error)
    return 0
