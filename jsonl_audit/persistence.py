"""The protocol of a durable store of events, and the settings of the one that is made of files.

A program that is written against :class:`Persistence` can keep its events in files here and elsewhere in another
store. AuditLog is the implementation in files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from jsonl_audit.log import AuditLog
from jsonl_audit.writer.chain import Receipt

if TYPE_CHECKING:
    from jsonl_audit.verifier import Report

__all__ = ["FileSettings", "Persistence"]


@runtime_checkable
class Persistence(Protocol):
    """What an audit subsystem asks of a durable store.

    >>> isinstance(AuditLog, type) and all(hasattr(AuditLog, name) for name in ("persist", "persist_batch"))
    True
    """

    def persist(self, event: Mapping[str, Any]) -> Receipt:
        """Keeps one event; durable when it returns, as the store's settings say."""

    def persist_batch(self, events: Iterable[Mapping[str, Any]]) -> list[Receipt]:
        """Keeps all of the events or none of them, also after a crash."""

    def last_sequence(self) -> int:
        """The highest sequence number kept; 0 if there is none."""

    def verify_integrity(self) -> Report:
        """Total, verified and corrupted records, breaks of the chain, valid or not."""

    def flush(self) -> None:
        """Returns when everything kept is durable."""

    def close(self) -> None:
        """Ends the use of the store."""


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Settings of a log in files, in the words of a configuration.

    >>> import tempfile
    >>> settings = FileSettings(directory=tempfile.mkdtemp(), prefix="gateway")
    >>> with settings.open() as store:
    ...     isinstance(store, Persistence), os.path.basename(store.path)
    (True, 'gateway.jsonl')
    """

    directory: str | os.PathLike[str] = "."
    """Made, 0700, if it is not there."""
    prefix: str = "audit"
    """The active file is ``<prefix>.jsonl``."""
    max_file_size: int = 100 * 2**20
    """In bytes; a segment is sealed before it would grow past it."""
    backup_count: int = 0
    """So many sealed segments are kept, the oldest of what is more are purged; 0 keeps all."""
    sync_on_write: bool = True
    """Whether an event is on disk when ``persist`` returns; if not, a background sync follows within a second."""

    @property
    def path(self) -> str:
        """The active file."""
        return os.path.join(os.path.expanduser(self.directory), f"{self.prefix}.jsonl")

    def open(self, **options: Any) -> AuditLog:
        """The log, opened; `options` are AuditLog's. Raises as AuditLog does."""
        fsync = "always" if self.sync_on_write else "interval"
        own = {"max_bytes": self.max_file_size, "backup_count": self.backup_count, "fsync": fsync}
        return AuditLog(self.path, **{**own, **options})
