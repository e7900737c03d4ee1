"""Reading is recorded: who read what of a log, from where, and how much of it.

Whoever reads through this package, its API or its command line, leaves an ``audit.accessed`` record, as the setting
`accessed` of the log says: ``"beside"``, in a small chained log of its own, ``NAME.EXT.d/accessed.jsonl``, so that an
examination changes nothing of what is examined; ``"log"``, in the log itself, where nobody else holds it, else beside;
None, nowhere. A copy of a log, and a log that tells no such setting, are read without a record, and so is the record of
reading. What reads for the engine itself uses `reader` and `verifier`, and leaves none.
"""

from __future__ import annotations

from jsonl_audit.accessed.reads import (
    follow,
    follow_lines,
    get,
    get_line,
    query,
    query_lines,
    tail,
    tail_lines,
)
from jsonl_audit.accessed.recorder import counted, record

__all__ = [
    "counted",
    "follow",
    "follow_lines",
    "get",
    "get_line",
    "query",
    "query_lines",
    "record",
    "tail",
    "tail_lines",
]
