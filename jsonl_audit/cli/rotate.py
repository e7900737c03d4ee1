"""`jsonl-audit rotate`: seals the active segment now."""

from __future__ import annotations

import os
from typing import Any

import click

from jsonl_audit.cli.options import log_path, path_argument
from jsonl_audit.cli.streams import Output, say
from jsonl_audit.cli.visible import visible
from jsonl_audit.cli.writing import lock_option, open_log

EXAMPLES = """\
\b
Examples:
  jsonl-audit rotate audit.jsonl
  cp "$(jsonl-audit rotate audit.jsonl)" /mnt/archive/
"""


@click.command(epilog=EXAMPLES)
@path_argument
@lock_option
def command(path: str | None, **options: Any) -> int:
    """Seal the active segment and begin the next.

    Prints the path that the sealed segment has from now on; nothing where it held no records. Where a crash left a
    torn end, or there is damage, opening the log seals the segment already: then its path is printed. A log rotates
    by itself when a segment has grown to --max-bytes; this is for other reasons, such as the end of a day.
    """
    from jsonl_audit.snapshot import Snapshot

    named = log_path(path)
    with Snapshot(named) as before:  # a log that is not there is not made, only to be sealed
        names, known = before.names, {os.path.basename(path) for path in before.sealed}
    out = Output()
    with open_log(named, **options) as log:
        sealed = log.rotate()
        if sealed is None:  # opening may have done it
            new = [path for path in names.list_sealed() if os.path.basename(path) not in known]
            sealed = new[-1] if new else None
    if sealed is None:
        say(f"{log.path}: nothing to seal, the active segment holds no records yet")
    else:
        out.write(visible(sealed).encode() + b"\n" if out.terminal else os.fsencode(sealed) + b"\n")
        out.flush()
    return 0
