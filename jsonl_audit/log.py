"""AuditLog: one log, opened for appending and read through the same object."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from jsonl_audit import record
from jsonl_audit.artifacts import Store
from jsonl_audit.errors import AuditError
from jsonl_audit.intake import Intake, check_events
from jsonl_audit.references import BEGINS
from jsonl_audit.segment import Names
from jsonl_audit.writer.appender import Appender
from jsonl_audit.writer.arrears import Arrears
from jsonl_audit.writer.chain import Receipt
from jsonl_audit.writer.policy import OPERATIONAL, Policy
from jsonl_audit.writer.settings import Settings, check_policy, check_settings
from jsonl_audit.writer.space import Space, thresholds
from jsonl_audit.writer.spill import HELD_ROOM
from jsonl_audit.writer.spillplace import SpillPlace
from jsonl_audit.writer.stats import Stats

if TYPE_CHECKING:
    from jsonl_audit.events.model import AuditEvent
    from jsonl_audit.redact import Redactor
    from jsonl_audit.verifier import Report

__all__ = ["AuditLog"]

SHARED_TIMEOUT = 10.0
"""Seconds that a commit waits for other processes, where they share the log."""


class AuditLog:
    """An append-only, hash-chained log of JSON lines.

    Opening creates the log, or recovers what a crash left and goes on; it takes the log's lock, and a second writer
    is refused unless both share it. Folders that are missing are made, 0700. Threads may share one AuditLog; those
    that wait for the disk go into one commit together. A signal handler that calls it in the middle of another call
    of its own thread gets a WriteError, since waiting would be waiting for ever.

    :param path: the active file; ``~`` is expanded, a symlink is resolved once.
    :param max_bytes: a segment is sealed before a commit would make it longer than this; None or 0 for never. A
        record or a batch is never split.
    :param fsync: when a commit counts as done. ``"always"``: it is on disk, its directory entry too.
        ``"interval"``: it is written; a background sync follows within `sync_interval` seconds, and a power cut may
        take what was appended since the last one. ``"never"``: it is written; the system decides when it reaches
        the disk. Sealing and closing sync in every mode; a killed process loses nothing in any mode.
    :param sync_interval: seconds, for ``fsync="interval"``.
    :param shared: any number of processes append to the log, each through an AuditLog of its own, through rotation.
        Each commit takes the lock, walks what others appended, and goes on from there; a forked child goes on with its
        parent's AuditLog. Otherwise the lock is held as long as the log is open.
    :param lock_timeout: how many seconds to wait for another writer to let go; by default none, and 10 where the log
        is shared.
    :param on_error: what happens to an event that cannot be written. ``"raise"``: the error is raised. ``"block"``:
        it is tried again until it works, or until `error_timeout` is over. ``"spill"``: it is held in a spill log in
        another place, and brought in when the log can be written again. ``"drop"``: it is counted. What was lost, held
        or delayed is recorded in the log itself once it can be.
    :param error_timeout: how many seconds ``"block"`` waits before the error is raised; None for ever.
    :param spill_path: the folder for ``"spill"``; by default a private one in the system's temporary place.
    :param space_left: bytes, or a text such as ``"500MiB"`` or ``"5%"`` of the disk: where less is free,
        `space_left_action` is done. None for never.
    :param space_left_action: ``"ignore"``, ``"warn"`` (the logger, once), ``"exec"`` (calls `on_space`), ``"rotate"``,
        ``"purge"`` (the oldest segments go, one after the other, until enough is free), ``"shed"`` (events of level
        info and below, but for those of security's types, are left out, and counted) or ``"suspend"`` (an event is an
        error, which `on_error` handles).
    :param admin_space_left: the same again, for less space.
    :param admin_space_left_action: the same again.
    :param on_space: called with the log's path, the bytes that are free and the threshold, for ``"exec"``.
    :param redact: what is taken out of events before they reach the disk: ``"default"`` (passwords, tokens, keys, by
        name and by form), ``"privacy"`` (also e-mail addresses, telephone numbers, paths, long texts), a
        :class:`~jsonl_audit.Redactor` with rules of your own, or None for nothing. A marker says what kind was there,
        and the member ``redacted`` counts them.
    :param validate: how events of the types in the catalogue (:mod:`jsonl_audit.events`) are looked at. ``"warn"``:
        what they lack of actor, task, outcome and schema version is completed, and what is wrong with them is sent to
        the logger, once each. ``"strict"``: what is wrong, lacking, or of a type not in the catalogue is refused.
        ``"off"``: all is taken as it is given. Events of other types are free.
    :param artifacts: where the line of an event would be too long, its large values go into files beside the log, and
        a reference stands in their place (:meth:`attach`); else such an event is refused. ``"zstd"``: the same,
        and new files are compressed where that makes them smaller (the extra ``zstd``).
    :param mode: the permissions of new files, whatever the umask.
    :param backup_count: so many sealed segments are kept: after each sealing the oldest of what is more are purged,
        by a record in the chain first. 0 keeps all.
    :param line_limit: the longest line in bytes, LF included, up to 16 MiB.
    :param accessed: where it is recorded who reads the log through this package or its command line, from where, with
        which filters and how much: ``"beside"``, in a small chained log of its own,
        ``NAME.EXT.d/accessed.jsonl``; ``"log"``, in the log itself where nobody else holds it; None or ``"off"``,
        nowhere. Copies of the log are read without a record.

    Raises :class:`~jsonl_audit.LockedError` if another appender has the log,
    :class:`~jsonl_audit.NotALogError`, :class:`~jsonl_audit.NewerFormatError` or
    :class:`~jsonl_audit.WrongLogError` for files that cannot be gone on from (nothing is written then),
    :class:`~jsonl_audit.StorageError` where the system refuses.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"
    >>> with AuditLog(path) as log:
    ...     receipt = log.append("exec.completed", actor={"id": "u1"}, outcome="success")
    ...     receipt.seq, log.last_seq == receipt.seq, log.head == receipt.hash
    (2, True, True)
    """

    _tells = frozenset(
        ("max_bytes", "fsync", "sync_interval", "on_error", "backup_count", "line_limit", "redact", "validate",
         "artifacts", "mode", "accessed")
    )  # fmt: skip
    """Which of its settings the log tells, and every change of."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int | None = 100 * 2**20,
        fsync: str = "always",
        sync_interval: float = 1.0,
        shared: bool = False,
        lock_timeout: float | None = None,
        on_error: str = "raise",
        error_timeout: float | None = 60.0,
        spill_path: str | os.PathLike[str] | None = None,
        space_left: int | str | None = "64MiB",
        space_left_action: str = "warn",
        admin_space_left: int | str | None = None,
        admin_space_left_action: str = "suspend",
        on_space: Callable[[str, int, int], object] | None = None,
        redact: str | Redactor | None = "default",
        validate: str = "warn",
        artifacts: bool | str = True,
        mode: int = 0o600,
        line_limit: int = record.LINE_LIMIT,
        backup_count: int = 0,
        accessed: str | None = "beside",
    ) -> None:
        check_settings(max_bytes, fsync, sync_interval, lock_timeout, mode, line_limit, backup_count, shared, accessed)
        redactor = check_events(redact, validate, artifacts)
        check_policy(on_error, error_timeout, spill_path)
        levels = thresholds(space_left, space_left_action, admin_space_left, admin_space_left_action, on_space)
        spills = on_error == "spill"
        if lock_timeout is None:
            lock_timeout = SHARED_TIMEOUT if shared else 0.0
        told = {
            "max_bytes": max_bytes or None,
            "fsync": fsync,
            "sync_interval": sync_interval,
            "on_error": on_error,
            "backup_count": backup_count,
            "line_limit": line_limit,
            "redact": None if redactor is None else redactor.name,
            "validate": validate,
            "artifacts": artifacts,
            "mode": f"{mode:04o}",
            "accessed": None if accessed == "off" else accessed,
        }
        told = {name: value for name, value in told.items() if name in self._tells}
        settings = Settings(max_bytes or None, fsync, sync_interval, lock_timeout, mode, shared, backup_count, told)
        names = Names.of(path)
        limit = line_limit - HELD_ROOM if spills else line_limit
        self._store = Store(names, mode, "zstd" if artifacts == "zstd" else None, redactor)
        self._intake = Intake(limit, redactor, validate, self._store if artifacts else None, references=self._store)
        self._patience = on_error, error_timeout
        self._room = limit - record.FRAME - record.LONGEST_TYPE
        self._appender = Appender(names, settings)
        try:
            arrears = Arrears(self._appender, SpillPlace(names, spill_path) if spills else None, _lines)
            self._policy = Policy(self._appender, on_error, error_timeout, arrears)
            if levels:
                self._policy.space = Space(self._appender, levels, on_space, self._policy.restrict)
                self._policy.space.begin()
            if spills:
                self._policy.take_over()
        except BaseException:  # nobody has this log who could close it
            with suppress(AuditError):
                self._appender.close()
            raise

    @property
    def path(self) -> str:
        """The active file: absolute, symlinks resolved."""
        return self._appender.names.path

    @property
    def notes(self) -> tuple[str, ...]:
        """What opening and going on found that a person should know, a sentence each; also sent to the logger."""
        return tuple(self._appender.notes)

    @property
    def last_seq(self) -> int:
        """seq of the newest record, the engine's own records included."""
        return self._appender.last.seq

    @property
    def head(self) -> str:
        """hash of the newest record: kept elsewhere, it is an anchor."""
        return self._appender.last.hash

    def append(self, event: Mapping[str, Any] | AuditEvent | str, /, **members: Any) -> Receipt:
        """Commits one event and returns when it is as durable as `fsync` says.

        :param event: a mapping, an :class:`~jsonl_audit.AuditEvent`, or the event's type; `members` are added to it.

        Raises :class:`~jsonl_audit.EventError` if the event is refused (its type is no type name or the engine's
        own, its line is too long): nothing was written. Raises :class:`~jsonl_audit.WriteError` or
        :class:`~jsonl_audit.SyncError` if the event is not known to be recorded.
        """
        body = self._intake.body(event, members)
        if len(body.members) > self._room or BEGINS in body.members:
            body = self._fitted(body)
        policy = self._policy
        if policy.trouble:
            return policy.commit([[body]])[0]
        try:
            return self._appender.append(body)
        except OPERATIONAL as error:
            return policy.after(error, [[body]])[0]

    log = write = append
    """Aliases of :meth:`append`."""

    def append_many(self, events: Iterable[Mapping[str, Any] | AuditEvent]) -> list[Receipt]:
        """Commits all of the events in one write and one sync, or none of them: also for readers, also after a crash.

        Raises as :meth:`append` does; an EventError says which event, and nothing of the batch was written. A batch
        holds at most 16 MiB.
        """
        bodies = self._bodies(events)
        return self._commit([bodies]) if bodies else []

    def append_group(self, events: Iterable[Mapping[str, Any] | AuditEvent]) -> list[Receipt]:
        """Commits the events in one write and one sync, each for itself: a crash may keep the first of them.

        What :meth:`append` in a loop does, at the price of one sync.
        """
        bodies = self._bodies(events)
        return self._commit([[body] for body in bodies]) if bodies else []

    def _commit(self, groups: Sequence[Sequence[record.Body]]) -> list[Receipt]:
        """Commits groups of encoded events, each of two or more a batch; the way of the asynchronous twin too."""
        policy = self._policy
        if policy.trouble:
            return policy.commit(groups)
        try:
            return self._appender.commit(groups)
        except OPERATIONAL as error:
            return policy.after(error, groups)

    def _fitted(self, body: record.Body) -> record.Body:
        """The body, with its large values in artifacts where its line would be too long."""
        return self._intake.fitted(body, *self._patience)

    def _bodies(self, events: Iterable[Mapping[str, Any] | AuditEvent]) -> list[record.Body]:
        return self._intake.bodies(events, self._fitted)

    @property
    def artifacts(self) -> Store:
        """The files beside the log to which references in its records lead."""
        return self._store

    def attach(
        self,
        data: Any,
        *,
        name: str | None = None,
        media_type: str | None = None,
        redact: bool = True,
    ) -> dict[str, Any]:
        """Puts data into a file beside the log, and returns the reference that an event is to hold, wherever in it.

        The file is on disk when this returns; its name is the BLAKE3 of what is in it. Text is redacted as events are.

        :param data: bytes, a text, a path, a file open for reading, or an iterable of bytes: of any size.
        :param name: what it was called, for whoever reads the event.
        :param media_type: such as ``"text/plain"``; guessed by default.
        :param redact: False keeps a text as it is: the opt-in for prompts and such, where the log may hold them.

        Raises StorageError, and OSError for a path that cannot be read.
        """
        return self._store.put(data, name=name, media_type=media_type, redact=redact)

    def flush(self) -> None:
        """Returns when everything committed is on disk, in every mode. Raises SyncError."""
        if self._policy.trouble:
            self._policy.flush()
        else:
            self._appender.flush()

    def rotate(self) -> str | None:
        """Seals the active segment now. Returns the path it has from now on; None if it held nothing to seal.

        Raises :class:`~jsonl_audit.SealError`; then the log goes on in the same file.
        """
        return self._appender.rotate()

    def purge(self, *, keep: int, reason: str, force: bool = False) -> list[str]:
        """Lets the oldest sealed segments go, so that `keep` of them stay. Returns the paths that are gone.

        What goes is recorded first, in an ``audit.purged`` record that is on disk before any file is removed: the
        segments with their seqs and digests, how far the chain had reached with them, and `reason`. What stays verifies
        as ``intact``, from there. A segment stays, with all behind it, where the one after it is not here to vouch for
        it; a file that cannot be removed is noted, ignored from then on, and tried again later.

        :param keep: 1 or more; the newest sealed segment always stays.
        :param reason: in the words of whoever decides it, such as ``"kept for a year"``.
        :param force: lets go, too, what has not arrived yet where :func:`jsonl_audit.ship` copies the log to.

        Raises as :meth:`append` does if the record could not be written, and :class:`~jsonl_audit.NotShippedError`
        for what has not arrived: then nothing is removed.
        """
        _check_purge(keep, reason)
        reason = self._intake.clean(reason)
        return self._appender.purge(
            keep, str.encode(reason, "utf-8", "backslashreplace").decode(), "go" if force else "refuse"
        )

    def stats(self) -> Stats:
        """Figures of what this object did since it was opened."""
        policy = self._policy
        text, when = policy.last_error or (None, None)
        return Stats(
            **self._appender.figures(),
            spilled=policy.spilled,
            held=policy.arrears.held,
            lost=policy.arrears.lost,
            delayed=policy.arrears.delayed.total,
            last_error=text,
            last_error_at=when,
        )

    def close(self) -> None:
        """Syncs, and lets the next writer in. May be called twice. Raises SyncError if the last sync fails."""
        try:
            self._policy.close()
        finally:
            self._appender.close()

    def tail(self, n: int = 10, **filters: Any) -> list[dict[str, Any]]:
        """The last `n` records, oldest of them first; see :func:`jsonl_audit.tail`."""
        from jsonl_audit import accessed

        return accessed.tail(self.path, n, **filters)

    def query(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """The records that match, lazily; see :func:`jsonl_audit.query`."""
        from jsonl_audit import accessed

        return accessed.query(self.path, **filters)

    def verify(self, *, full: bool = False, expect: object = ()) -> Report:
        """What a verifier says of this log now; see :func:`jsonl_audit.verify`."""
        from jsonl_audit.accessed.verification import verify

        return verify(self.path, full=full, expect=expect)

    def persist(self, event: Mapping[str, Any]) -> Receipt:
        """:meth:`append`, under the name of :class:`jsonl_audit.Persistence`."""
        return self.append(event)

    def persist_batch(self, events: Iterable[Mapping[str, Any] | AuditEvent]) -> list[Receipt]:
        """:meth:`append_many`, under the name of :class:`jsonl_audit.Persistence`."""
        return self.append_many(events)

    def last_sequence(self) -> int:
        """:attr:`last_seq`, under the name of :class:`jsonl_audit.Persistence`."""
        return self.last_seq

    def verify_integrity(self) -> Report:
        """:meth:`verify` with ``full=True``, under the name of :class:`jsonl_audit.Persistence`."""
        return self.verify(full=True)

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AuditLog {self.path!r}{' closed' if self._appender.closed else ''}>"


def _lines(path: str, after: int, text: str | None = None, /) -> Iterator[bytes]:
    """The lines of a log, as the failure policy reads them; what is damaged it finds out by what is missing."""
    from jsonl_audit.reader import query_lines

    return query_lines(path, after=after, text=text, control=True, on_damage=lambda _: None)


def _check_purge(keep: Any, reason: Any) -> None:
    if type(keep) is not int or keep < 1:
        raise ValueError(f"keep is a number of sealed segments, 1 or more, not {keep!r}")
    if not isinstance(reason, str) or not reason:
        raise ValueError(f"reason says why, in a text, not {reason!r}")
