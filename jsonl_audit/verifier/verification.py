"""Verification of a log, as often as it takes to see it standing still: it may be written and rotated meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from jsonl_audit.errors import AuditError, StorageError
from jsonl_audit.verifier.anchors import parse
from jsonl_audit.verifier.elsewhere import noted
from jsonl_audit.verifier.files import Collected, Vanished, collect
from jsonl_audit.verifier.gather import gather
from jsonl_audit.verifier.judge import judge
from jsonl_audit.verifier.report import Report
from jsonl_audit.verifier.work import Work

__all__ = ["verified", "verify", "verify_each"]

Result = TypeVar("Result")

_Path = str | os.PathLike[str]
_LOOKS = 3  # at a log that is not whole, and was written to meanwhile
_TRIES = 100  # to open files that keep being renamed or purged


def verify(
    paths: _Path | Sequence[_Path],
    *,
    full: bool = False,
    expect: object = (),
    copy: bool = False,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> Report:
    """Checks that nothing was changed, removed, moved or put in.

    Nothing is written, and the log may be in use. What cannot be seen without an anchor, a rewrite of the whole log or
    a cut end, the report says.

    :param paths: one path: that log, with its sealed segments; a directory that holds one log will do, a sealed or
        compressed file is verified alone. A list: exactly these files of one log.
    :param full: walk every line, on all cores. Else sealed segments are checked by their digests, at the speed of the
        hash, and only what disagrees is walked.
    :param expect: anchors, one or several: what was noted elsewhere of a record, by which a rewritten log or a cut end
        is found. ``(seq, hash)``, ``"SEQ:HASH"``, a receipt, an earlier report, a manifest, any of them as JSON, or the
        path of a file of them.
    :param copy: the files were copied from elsewhere, and may be unfinished: a sealed file that is whole as far as it
        goes and ends early is ``segment-unfinished``, which makes the log incomplete, and not altered. They may be
        renamed, compressed, merged or split; of a directory all files that hold records are looked at, and in a list
        directories may stand.
    :param progress: called with the bytes done and the bytes in all.
    :param workers: how many cores to use; all by default.

    Raises :class:`~jsonl_audit.LogError` (exit status 2) for what is no log, a log of a newer format, or a directory
    without a log, :class:`~jsonl_audit.QueryError` (2) for what is no anchor, and
    :class:`~jsonl_audit.StorageError` (4) for what is not here or cannot be read.

    >>> import tempfile, pathlib
    >>> from jsonl_audit import AuditLog
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"
    >>> with AuditLog(path) as log:
    ...     receipt = log.append("exec.completed", outcome="success")
    >>> report = verify(path)
    >>> report.verdict, report.ok, report.last_seq, report.head == receipt.hash
    ('intact', True, 2, True)
    >>> verify(path, expect=receipt).anchored.through_seq, verify(path, expect=[(1, receipt.hash)]).verdict
    (2, 'tampered')
    >>> _ = path.write_bytes(path.read_bytes().replace(b"success", b"failure"))
    >>> report = verify(path)
    >>> report.verdict, report.findings[0].kind, report.findings[0].seq, report.corrupted == (receipt.id,)
    ('tampered', 'record-modified', 2, True)
    """
    options: dict[str, Any] = {"full": full, "expect": expect, "copy": copy, "progress": progress, "workers": workers}
    return verified(paths, lambda _, report: report, **options)


def verified(
    paths: _Path | Sequence[_Path],
    take: Callable[[Collected, Report], Result],
    *,
    full: bool = False,
    expect: object = (),
    copy: bool = False,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> Result:
    """What `take` makes of the report of :func:`verify` and of the files that it is about, while they are open.

    It is called again where a file vanished under it. Raises as `verify` does.
    """
    looks, anchors = 0, parse(expect)
    with Work(full=full, progress=progress, workers=workers) as work:
        for _ in range(_TRIES):
            try:
                with gather(paths) if copy else collect(paths) as collected:
                    report = judge(collected, work, anchors)
                    looks += 1
                    # Of copies that are still being made, what is not here yet is right to be missing.
                    settled = report.verdict not in ("forked", "tampered") if copy else report.verdict == "intact"
                    if settled or looks == _LOOKS or not collected.changed():
                        return take(collected, noted(collected, report))
                if copy:  # whoever writes over a file in place takes a moment
                    time.sleep(0.1 * looks)
            except Vanished:
                continue
            except OSError as error:
                if isinstance(error, AuditError) or error.filename is None:  # not of a file: the caller's own
                    raise
                what = f"cannot be read: {error.strerror}"
                raise StorageError(what, path=error.filename, errno=error.errno) from error
    raise StorageError(
        "its files kept being renamed or removed while they were read; try again",
        path=paths if isinstance(paths, (str, os.PathLike)) else None,
    )


def verify_each(
    paths: Iterable[_Path],
    *,
    full: bool = False,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> list[tuple[str, Report | AuditError]]:
    """Verifies several logs: for each path its report, or the error that `verify` would raise.

    >>> [(path, type(told).__name__) for path, told in verify_each(["/nowhere/audit.jsonl"])]
    [('/nowhere/audit.jsonl', 'StorageError')]
    """
    told: list[tuple[str, Report | AuditError]] = []
    for path in paths:
        try:
            told.append((os.fspath(path), verify(path, full=full, progress=progress, workers=workers)))
        except AuditError as error:
            told.append((os.fspath(path), error))
    return told
