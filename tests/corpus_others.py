"""What detect-secrets, a scanner of source trees, finds in the corpus. Asked only by the command of tests/corpus.py.

It reads files line by line and reports a hash of what it found, so each case is written to a file of its own, as the
line that a log would hold, and counts as found if anything in it is. Install it to ask: pip install detect-secrets.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from corpus import Case

__all__ = ["found_in"]


def found_in(cases: Iterable[Case]) -> dict[int, bool]:
    """By the id of a case: whether anything is found in it. Texts stand as they are, values as JSON."""
    try:
        from detect_secrets.core.scan import scan_file
        from detect_secrets.settings import default_settings
    except ImportError:
        sys.exit("detect-secrets is not installed here: pip install detect-secrets")
    found = {}
    with tempfile.TemporaryDirectory() as folder, default_settings():
        for number, case in enumerate(cases):
            file = Path(folder) / f"{number}.txt"
            file.write_bytes(case.value.encode() if isinstance(case.value, str) else orjson.dumps(case.value))
            found[id(case)] = next(iter(scan_file(str(file))), None) is not None
            file.unlink()
    return found
