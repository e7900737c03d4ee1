"""Where the records are that a log lacks, if logrotate took them: a note beside the findings, and how to mend it."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace

from jsonl_audit.rotated import REMEDY, Taken, taken
from jsonl_audit.segment import Names
from jsonl_audit.verifier.files import Collected
from jsonl_audit.verifier.report import Note, Report

__all__ = ["noted"]

_LACKING = {"header-missing", "segment-altered", "segment-missing", "records-missing"}


def noted(collected: Collected, report: Report) -> Report:
    """The report, with a note for each file that logrotate made of this log where the log lacks something."""
    names = collected.names
    if names is None or not any(finding.kind in _LACKING for finding in report.findings):
        return report
    try:
        found = taken(names)
    except OSError:  # the folder was listed a moment ago; what is wrong with it is not this note's to say
        return report
    headers = [file.header for file in collected.files if file.header is not None]
    logs = {header.log for header in headers}
    # The name that a segment was to have when it was sealed, if it is not here.
    here = {file.plain_name for file in collected.files}
    due = {
        header.segment - 1: header.previous.name
        for header in headers
        if header.previous is not None and header.previous.name not in here
    }
    notes = [_note(names, each, due, ours=each.header is None or each.header.log in logs) for each in found]
    return replace(report, notes=(*report.notes, *notes)) if notes else report


def _note(names: Names, piece: Taken, due: dict[int, str], *, ours: bool) -> Note:
    packed = os.path.splitext(piece.path)[1] if piece.path.endswith((".gz", ".zst")) else ""
    if not ours:
        how = "is the log that was here before this one: logrotate took its file away. Verify it by itself"
    elif piece.header is not None and piece.header.segment in due:
        sealed = os.path.join(names.directory, due[piece.header.segment] + packed)
        how = (
            f"is segment {piece.header.segment}: logrotate renamed it (create or nocreate). Give it its name: "
            f"mv -n {shlex.quote(piece.path)} {shlex.quote(sealed)}"
        )
    else:
        how = (
            "holds records of this log: logrotate copied the file there and cut it, or renamed it (copytruncate, "
            f"create). jsonl-audit verify --copy {shlex.quote(names.directory)} looks at all pieces together"
        )
    return Note("taken-by-logrotate", f"{how}. And {REMEDY}", piece.name)
