"""`jsonl-audit verify --report FILE`: the examination kept as a document that can be handed on."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

from jsonl_audit.cli.streams import Progress, say

if TYPE_CHECKING:
    from jsonl_audit.verifier import Report

__all__ = ["examined"]


def examined(path: str | list[str], file: str, **options: Any) -> Report:
    """The report on a log, kept in a file too. `options` are those of `verify`.

    Raises as `verify` does, what is no log only after the report was written; LogError and StorageError for a file
    that cannot, or must not, be written.
    """
    from jsonl_audit.report import examine
    from jsonl_audit.report.keeping import check

    check(file)
    with Progress("examining") as progress:
        found = examine(path, command=_command(), progress=progress, **options)
    digest = found.save(file)
    say(f"the report is in {file} (BLAKE3 {digest})")
    if found.error is not None:
        raise found.error
    assert found.report is not None
    return found.report


def _command() -> str:
    """The command line, as it could be typed again."""
    return shlex.join(["jsonl-audit", *sys.argv[1:]])
