"""The asynchronous twins: the same arguments and the same results, and the event loop is never kept waiting.

Files are written in one thread of a log's own, and read in threads, a window at a time, so that a task that waits for
a rare record can be cancelled soon.
"""

from __future__ import annotations

from jsonl_audit.aio.log import AsyncAuditLog
from jsonl_audit.aio.reading import follow, get, query, tail

__all__ = ["AsyncAuditLog", "follow", "get", "query", "tail"]
