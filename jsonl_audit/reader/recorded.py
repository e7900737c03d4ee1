"""The settings that a log was written with, as its headers and its records of changes tell them."""

from __future__ import annotations

import os
from typing import Any

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.reader.segments import Segments
from jsonl_audit.reader.windows import windows
from jsonl_audit.segment import settings_of
from jsonl_audit.snapshot import Snapshot, resolve

__all__ = ["newest_settings", "recorded_settings"]

_CHANGE = b',"type":"audit.settings",'


def recorded_settings(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The newest settings that the log at `path` tells; empty where it tells none.

    Raises StorageError, NotALogError, NewerFormatError.

    >>> from jsonl_audit import AuditLog
    >>> AuditLog("audit.jsonl", fsync="never", backup_count=3).close()
    >>> found = recorded_settings("audit.jsonl")
    >>> found["fsync"], found["backup_count"]
    ('never', 3)
    """
    with Snapshot(resolve(path)) as snapshot:
        return newest_settings(Segments(snapshot, lambda _: None)) or {}


def newest_settings(segments: Segments) -> dict[str, Any] | None:
    """The newest settings that the segments tell: a change in the last of them, or what its header repeats."""
    for opened in segments.walk(reverse=True):
        header = opened.segment.header
        if header is None:
            continue
        found = header.settings
        start, told = segments.settings_on_disk(opened)
        return _changed(opened.content, start, opened.end) or told or found
    return None


def _changed(content: Content, start: int, end: int) -> dict[str, Any] | None:
    """What the last record of a change between two offsets tells."""
    for window in windows(content, start, end, reverse=True):
        data, stop = window.data, window.cut
        while (at := data.rfind(_CHANGE, window.begin, stop)) >= 0:
            begin = data.rfind(b"\n", window.begin, at) + 1 or window.begin
            line = data[begin : data.index(b"\n", at) + 1]
            if record.type_of(line) == "audit.settings" and record.own_hash_right(line):
                found = settings_of(record.decode(line).get("details"))
                if found is not None:
                    return found
            stop = begin
    return None
