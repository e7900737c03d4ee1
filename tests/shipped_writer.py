"""A writer that rotates, to be shipped from and killed: what it was promised stands outside of the log.

Started by tests/shipping.py as a process of its own::

    python tests/shipped_writer.py LOG PROMISES --appends 100000 --max-bytes 1048576 --keep 0 --pace 8000

It goes on where the promises end. Its events are what shippers stumble over: long lines, several bytes to a letter,
quotes in quotes, percent signs and dollars, letters that end lines elsewhere, many events in one commit.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from jsonl_audit import AuditLog

__all__ = ["events", "main"]

ODD = (
    "plain", "zwölf Boxkämpfer 🥊 über den Sylter Deich", '{"nested":"json \\"in\\" json"}', "100 %msg% $MSG ${x} %{y}",
    "a\u2028b\u2029c\x85d\x7fe", "tab\tand\nline feed\r\nand \x1b[31mcolour\x1b[0m", "<34>1 2026-11-21T10:00:00Z h a -",
    " blanks at both ends ", "\\x41 \\u0041 #011 #012 #303#274", "𝕴𝖔𝖙𝖆" * 40,
)  # fmt: skip


def events(first: int) -> Iterator[dict[str, Any]]:
    """Events without end, each with its number as `n` of its details."""
    number = first
    while True:
        said = ODD[number % len(ODD)]
        if number % 997 == 0:
            said = "lang 長い " * 2200
        yield {"type": "shipped.event", "actor": {"id": f"u{number % 7}"}, "details": {"n": number, "said": said}}
        number += 1


def main() -> None:
    """Appends, keeping a promise for each event that is acknowledged."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("log")
    parser.add_argument("promises")
    parser.add_argument("--appends", type=int, required=True)
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--keep", type=int, default=0, help="so many sealed segments stay; 0: all")
    parser.add_argument("--pace", type=float, default=0, help="so many events a second; 0: as fast as it goes")
    args = parser.parse_args()
    promises = os.open(args.promises, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    done = os.fstat(promises).st_size // 2
    coming, began, first = events(done), time.monotonic(), done
    with AuditLog(
        args.log, max_bytes=args.max_bytes, fsync="never", redact=None, backup_count=args.keep, lock_timeout=60,
        accessed=None,
    ) as log:  # fmt: skip
        while done < args.appends:
            # One by one, and now and then many as one.
            batch = list(islice(coming, 1 if done % 10 else min(7, args.appends - done)))
            if len(batch) == 1:
                log.append(batch[0])
            else:
                log.append_many(batch)
            done += len(batch)
            os.write(promises, b".\n" * len(batch))
            if args.pace:
                time.sleep(max(0.0, (done - first) / args.pace - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
