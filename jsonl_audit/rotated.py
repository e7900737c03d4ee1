"""What logrotate leaves beside a log that a rule of it names: the log's own records, in files named by logrotate."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from jsonl_audit import record, storage
from jsonl_audit.content import first_line_of
from jsonl_audit.errors import AuditError
from jsonl_audit.segment import HEADER_LIMIT, Header, Names, parse_header

__all__ = ["REMEDY", "Taken", "taken", "told"]

REMEDY = (
    "take the log out of the rule (jsonl-audit doctor names it): a log rotates by itself, and jsonl-audit ship-config "
    "logrotate prints a rule that leaves its files alone"
)
_MOST = 1000
"""Files at which one looks: behind that many, what is wrong has long been plain."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was, or is a copy of, the log's active one."""

    path: str
    header: Header | None
    """None where it begins in the middle of a segment, as the second file does that copytruncate makes of one."""

    @property
    def name(self) -> str:
        """Of the file, without its folder."""
        return os.path.basename(self.path)


def taken(names: Names) -> list[Taken]:
    """The files beside a log that have the names which logrotate gives, and begin as a file of a log does.

    `audit.jsonl.1`, `audit.jsonl-20261121`, with `extension` `audit.1.jsonl` and `audit-20261121.jsonl`, perhaps with
    `.gz`: in the order of their first seq.
    """
    name = os.path.basename(names.path)
    stem, dot, extension = name.rpartition(".")
    given = rf"{re.escape(name)}(?:\.\d{{1,4}}|-\d{{8,10}}(?:-\d+)?)"
    if stem and extension:
        given += rf"|{re.escape(stem)}(?:\.\d{{1,4}}|-\d{{8,10}}(?:-\d+)?){re.escape(dot + extension)}"
    pattern = re.compile(rf"(?:{given})(?:\.gz|\.zst)?")
    found: list[tuple[int, Taken]] = []
    for entry in sorted(entry for entry in storage.list_directory(names.directory) if pattern.fullmatch(entry))[:_MOST]:
        path = os.path.join(names.directory, entry)
        try:
            line = first_line_of(path)
        except (AuditError, OSError):  # broken data, no file, not ours to read: then nothing is known of it
            continue
        if len(line) <= HEADER_LIMIT and record.HEAD.match(line) and record.own_hash_right(line):
            found.append((record.seq_of(line), Taken(path, parse_header(line))))
    return [each for _, each in sorted(found, key=lambda entry: entry[0])]


def told(names: Names, log: str, *, cut: bool | None) -> str:
    """Words for a writer whose file is not what it was: why, where that can be told; else nothing.

    :param cut: whether it was cut; False if it is gone; None where only the next writer found out.
    """
    try:
        pieces = taken(names)
    except OSError:  # the folder cannot be listed, which somebody else will say
        return ""
    ours = [each for each in pieces if each.header is None or each.header.log == log]
    if not ours:
        return ""
    how = {
        True: "copied it there and cut it (copytruncate)",
        False: "renamed it (create or nocreate)",
        None: "renamed it, or copied it there and cut it (create, copytruncate)",
    }[cut]
    return f". {ours[-1].name} beside it holds records of the log: logrotate {how}. What to do: {REMEDY}"
