"""An append-only audit log: JSON lines, chained with BLAKE3, that prove afterwards that nothing was changed.

>>> import tempfile, pathlib
>>> from jsonl_audit import AuditLog, query, verify
>>> path = pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"
>>> with AuditLog(path) as log:
...     receipt = log.append("exec.completed", actor={"id": "u1"}, outcome="success")
>>> [record["actor"]["id"] for record in query(path, type="exec.*")]
['u1']
>>> verify(path).verdict
'intact'

Names are imported when they are first used: a program that only appends never loads the readers or the verifier.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from jsonl_audit import aio, events, manifest, views
    from jsonl_audit.aio import AsyncAuditLog
    from jsonl_audit.comparison import Comparison, compare
    from jsonl_audit.context import context
    from jsonl_audit.doctor import Diagnosis, Remark, diagnose
    from jsonl_audit.errors import (
        ArtifactError,
        AuditError,
        ClosedError,
        EventError,
        EventTooLargeError,
        InvalidEventError,
        LockedError,
        LogError,
        NewerFormatError,
        NotALogError,
        NotShippedError,
        QueryError,
        RefusedError,
        ReservedTypeError,
        SealError,
        StorageError,
        SyncError,
        WriteError,
        WrongLogError,
    )
    from jsonl_audit.events import Actor, AuditEvent, EventType, Target
    from jsonl_audit.log import AuditLog
    from jsonl_audit.manifest import Manifest
    from jsonl_audit.persistence import FileSettings, Persistence
    from jsonl_audit.reader.filters import Filters
    from jsonl_audit.reader.follow import follow
    from jsonl_audit.reader.get import get
    from jsonl_audit.reader.notices import Notice, ReadWarning
    from jsonl_audit.reader.query import query, tail
    from jsonl_audit.receive import (
        Collected,
        CollectedLog,
        StreamFinding,
        StreamLog,
        StreamReport,
        collect,
        verify_stream,
    )
    from jsonl_audit.redact import Redactor
    from jsonl_audit.report import Examination, examine
    from jsonl_audit.ship import Shipped, ship
    from jsonl_audit.slices import Slice, extract
    from jsonl_audit.verifier import Anchored, Finding, Note, Report, verify
    from jsonl_audit.writer.chain import DroppedReceipt, Receipt, SpilledReceipt
    from jsonl_audit.writer.stats import Stats

__all__ = [
    "Actor",
    "Anchored",
    "ArtifactError",
    "AsyncAuditLog",
    "AuditError",
    "AuditEvent",
    "AuditLog",
    "ClosedError",
    "Collected",
    "CollectedLog",
    "Comparison",
    "Diagnosis",
    "DroppedReceipt",
    "EventError",
    "EventTooLargeError",
    "EventType",
    "Examination",
    "FileSettings",
    "Filters",
    "Finding",
    "InvalidEventError",
    "LockedError",
    "LogError",
    "Manifest",
    "NewerFormatError",
    "NotALogError",
    "NotShippedError",
    "Note",
    "Notice",
    "Persistence",
    "QueryError",
    "ReadWarning",
    "Receipt",
    "Redactor",
    "RefusedError",
    "Remark",
    "Report",
    "ReservedTypeError",
    "SealError",
    "Shipped",
    "Slice",
    "SpilledReceipt",
    "Stats",
    "StorageError",
    "StreamFinding",
    "StreamLog",
    "StreamReport",
    "SyncError",
    "Target",
    "WriteError",
    "WrongLogError",
    "aio",
    "collect",
    "compare",
    "context",
    "diagnose",
    "events",
    "examine",
    "extract",
    "follow",
    "get",
    "manifest",
    "query",
    "ship",
    "tail",
    "verify",
    "verify_stream",
    "views",
]

_HOMES = {
    "Actor": "events",
    "Anchored": "verifier",
    "AsyncAuditLog": "aio",
    "AuditEvent": "events",
    "AuditLog": "log",
    "Collected": "receive",
    "CollectedLog": "receive",
    "Diagnosis": "doctor",
    "Comparison": "comparison",
    "DroppedReceipt": "writer.chain",
    "EventType": "events",
    "Examination": "report",
    "FileSettings": "persistence",
    "Filters": "reader",
    "Finding": "verifier",
    "Manifest": "manifest",
    "Note": "verifier",
    "Notice": "reader",
    "Persistence": "persistence",
    "ReadWarning": "reader",
    "Receipt": "writer.chain",
    "Redactor": "redact",
    "Remark": "doctor",
    "Report": "verifier",
    "Shipped": "ship",
    "Slice": "slices",
    "SpilledReceipt": "writer.chain",
    "Stats": "writer.stats",
    "StreamFinding": "receive",
    "StreamLog": "receive",
    "StreamReport": "receive",
    "Target": "events",
    "aio": "aio",
    "collect": "receive",
    "compare": "comparison",
    "context": "context",
    "diagnose": "doctor",
    "events": "events",
    "examine": "report",
    "extract": "slices",
    "follow": "accessed",
    "get": "accessed",
    "manifest": "manifest",
    "query": "accessed",
    "ship": "ship",
    "tail": "accessed",
    "verify": "accessed.verification",
    "verify_stream": "receive",
    "views": "views",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = _HOMES.get(name, "errors")
    module = import_module(f"{__name__}.{home}")
    value = module if home == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *globals()})
