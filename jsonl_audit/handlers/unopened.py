"""What happens to events while the log itself cannot be opened: as `on_error` says, as far as that goes without a log.

A program that logs comes up although its log's disk is not there, and its events are held in a spill log like any
other: whoever opens the log with ``on_error="spill"`` next brings them in, this process or a later one.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from typing import Any

from jsonl_audit import record
from jsonl_audit.errors import AuditError, ClosedError, LogError, StorageError
from jsonl_audit.intake import Intake
from jsonl_audit.log import AuditLog
from jsonl_audit.redact import redactor_of
from jsonl_audit.segment import Names
from jsonl_audit.writer import spillplace
from jsonl_audit.writer.chain import DroppedReceipt, Receipt, SpilledReceipt
from jsonl_audit.writer.spill import HELD_ROOM
from jsonl_audit.writer.spillplace import SpillPlace
from jsonl_audit.writer.tally import now_text

__all__ = ["HandedOverError", "Unopened"]

_TRIES = 1000  # of opening again, for one event: as often as others close


class HandedOverError(AuditError):
    """The log is open meanwhile: events go there."""


class Unopened:
    """Holds or counts the events of a log that is not open. Threads may share it."""

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        self._names = Names.of(path)
        self._options = options
        self._spills = options.get("on_error") == "spill"
        self._place = SpillPlace(self._names, options.get("spill_path"))
        limit = options.get("line_limit", record.LINE_LIMIT) - HELD_ROOM
        # The artifacts of a log that cannot be opened are no place to rely on: what is too long is cut.
        redactor = redactor_of(options.get("redact", "default"))
        self._intake = Intake(limit, redactor, options.get("validate", "warn"), shortens=True)
        self._lock = threading.Lock()
        self._held: AuditLog | None = None
        self._lost: dict[str, tuple[int, AuditError, str]] = {}  # how many, why, and since when
        self._last = ""
        self._over = False

    @property
    def path(self) -> str:
        """The folder where events are held."""
        return self._place.path

    def take(self, event: Mapping[str, Any], error: AuditError) -> Receipt:
        """Holds or counts an event.

        Raises HandedOverError once the log is open, StorageError where it cannot be held, EventError.
        """
        body = self._intake.fitted(self._intake.body(event))
        if not self._spills:
            self._count("dropped", error)
            return DroppedReceipt(0, "", record.new_id().decode(), "")
        try:
            for _ in range(_TRIES):
                held = self._open(error)
                try:
                    return SpilledReceipt(*held._appender.append(body))
                except ClosedError:  # by another thread, or the interpreter's exit
                    self._forget(held)
            raise StorageError("the spill log is closed again and again", path=self.path)
        except HandedOverError:
            raise
        except (AuditError, OSError) as worse:
            why = worse.message if isinstance(worse, AuditError) else str(worse)
            lost = StorageError(
                f"the event could be written neither to the log ({error.message}) nor to its spill log ({why})",
                path=self._names.path,
                errno=worse.errno,
            )
            self._count("unspilled", lost)
            raise lost from worse

    def flush(self) -> None:
        """Returns when what is held is on disk. Raises SyncError."""
        if self._held is not None:
            self._held.flush()

    def close(self) -> None:
        """Leaves what is held to whoever opens the log next. Raises SyncError."""
        with self._lock:
            held, self._held = self._held, None
        if held is not None:
            held.close()

    def hand_over(self, log: AuditLog) -> None:
        """Has the log bring in what is held, and tell what was lost; nobody else has the log yet."""
        with self._lock:
            self._over = True
        try:
            self.close()
        except StorageError as failed:
            log._appender.notes.add(failed.message)
        policy = log._policy
        for name, (count, error, since) in self._lost.items():
            getattr(policy.arrears, name).add(count, error.message, error.errno, since=since, until=self._last)
            policy.trouble = True  # the next append tells it first
        if self._spills:
            policy.take_over()

    def _open(self, error: AuditError) -> AuditLog:
        with self._lock:
            self._must_not_be_over()
            held = self._held
            if held is None:
                chosen = {name: self._options[name] for name in ("fsync", "sync_interval") if name in self._options}
                path = self._place.new()
                try:
                    held = AuditLog(path, max_bytes=None, **chosen)
                except (LogError, OSError):
                    spillplace.remove_if_empty(path)  # else each event that finds no place leaves a file
                    raise
                said = {
                    "path": os.fsencode(self._names.path).decode("utf-8", "backslashreplace"),
                    "log": "",
                    "after": 0,
                    "cause": error.message,
                    "errno": error.errno,
                    "pid": os.getpid(),
                }
                try:
                    held._appender.commit([[record.control("audit.held", said)]])
                except BaseException:
                    with contextlib.suppress(OSError):  # no event is in it
                        spillplace.remove(held._appender.names)
                    held._appender.abandon()
                    held.close()
                    raise
                self._held = held
            return held

    def _forget(self, held: AuditLog) -> None:
        with self._lock:
            if self._held is held:
                self._held = None

    def _count(self, name: str, error: AuditError) -> None:
        with self._lock:
            self._must_not_be_over()
            self._last = now_text()
            count, first, since = self._lost.get(name, (0, error, self._last))
            self._lost[name] = count + 1, first, since

    def _must_not_be_over(self) -> None:
        if self._over:
            raise HandedOverError("the log is open", path=self._names.path)
