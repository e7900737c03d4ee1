"""Reading a log: tail, query, follow, get, and figures about it. Nothing here ever writes."""

from __future__ import annotations

from jsonl_audit.reader.filters import Filters
from jsonl_audit.reader.follow import follow, follow_lines
from jsonl_audit.reader.get import get, get_line
from jsonl_audit.reader.info import Info, SegmentInfo, info
from jsonl_audit.reader.notices import Notice, ReadWarning
from jsonl_audit.reader.query import query, query_lines, tail, tail_lines
from jsonl_audit.reader.recorded import recorded_settings

__all__ = [
    "Filters",
    "Info",
    "Notice",
    "ReadWarning",
    "SegmentInfo",
    "follow",
    "follow_lines",
    "get",
    "get_line",
    "info",
    "query",
    "query_lines",
    "recorded_settings",
    "tail",
    "tail_lines",
]
