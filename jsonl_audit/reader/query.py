"""Finding records: `query` gives all that fit, lazily; `tail` the last of them, whatever the size of the log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jsonl_audit.errors import QueryError
from jsonl_audit.forms import shown
from jsonl_audit.reader import cursor, notices
from jsonl_audit.reader.filters import Filters, Selection
from jsonl_audit.reader.matches import Match, matches
from jsonl_audit.reader.newest import Newest
from jsonl_audit.reader.notices import Tell
from jsonl_audit.reader.segments import Segments
from jsonl_audit.reader.windows import WINDOW
from jsonl_audit.snapshot import Snapshot, resolve

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["After", "query", "query_lines", "tail", "tail_lines"]

After = int | tuple[int, str]
"""A position: a seq, or a seq with its hash."""


def query(
    path: str | os.PathLike[str],
    *,
    limit: int | None = None,
    offset: int = 0,
    after: After = 0,
    reverse: bool = False,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> Iterator[dict[str, Any]]:
    """The records of a log that fit all filters, oldest first: an iterator that reads as it is asked.

    It shows the log as it stands when the first record is asked for, while the log is written and rotated; what is
    appended later is not in it. Memory stays flat, whatever the size of the log.

    :param path: the log's active file, or a directory that holds one log.
    :param limit: at most so many records; all by default.
    :param offset: so many of those that fit are left out first.
    :param after: only records whose seq is greater. ``(seq, hash)`` also checks that this record is in this log.
    :param reverse: newest first.
    :param on_damage: called with a :class:`~jsonl_audit.Notice` for lines that are no records and segments
        that are missing, which are passed over; by default that is a warning.
    :param block: the most that is read at once, in bytes.
    :param filters: see :class:`~jsonl_audit.Filters`.

    Raises QueryError for a filter that makes no sense and TypeError for one that does not exist, at once; when the
    first record is asked for, StorageError if there is no such log or it cannot be read, NotALogError if something
    else lies there, NewerFormatError, WrongLogError if the record of `after` is not in this log.

    >>> from jsonl_audit import AuditLog
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipts = [log.append("exec.completed", actor={"id": user}, outcome="success") for user in "aba"]
    >>> [record["seq"] for record in query("audit.jsonl", actor="a")]
    [2, 4]
    >>> [record["seq"] for record in query("audit.jsonl", type="exec.*", after=2, reverse=True, limit=1)]
    [4]
    """
    found = find(path, filters, limit, offset, after, reverse, on_damage, block)
    newest = Newest(path, on_damage or notices.warn)
    return (newest(match.record) for match in found if match is not None)


def query_lines(
    path: str | os.PathLike[str],
    *,
    limit: int | None = None,
    offset: int = 0,
    after: After = 0,
    reverse: bool = False,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> Iterator[bytes]:
    """As :func:`query`, but the lines as they stand on disk, LF included: their hashes can be checked.

    >>> from jsonl_audit import AuditLog, record
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipt = log.append("exec.completed")
    >>> [record.hash_of(line) == receipt.hash for line in query_lines("audit.jsonl")]
    [True]
    """
    found = find(path, filters, limit, offset, after, reverse, on_damage, block)
    return (match.piece + b"\n" for match in found if match is not None)


def tail(
    path: str | os.PathLike[str],
    n: int = 10,
    *,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> list[dict[str, Any]]:
    """The last `n` records that fit, oldest of them first. The cost does not depend on the size of the log.

    The other arguments, and what is raised, are those of :func:`query`.

    >>> from jsonl_audit import AuditLog
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipts = [log.append("exec.completed", step=step) for step in range(5)]
    >>> [record["step"] for record in tail("audit.jsonl", 2)]
    [3, 4]
    """
    newest = Newest(path, on_damage or notices.warn)
    return [newest(match.record) for match in last(path, n, filters, on_damage, block)]


def tail_lines(
    path: str | os.PathLike[str],
    n: int = 10,
    *,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> list[bytes]:
    """As :func:`tail`, but the lines as they stand on disk, LF included."""
    return [match.piece + b"\n" for match in last(path, n, filters, on_damage, block)]


def find(
    path: str | os.PathLike[str],
    filters: Any,
    limit: int | None,
    offset: int,
    after: After,
    reverse: bool,
    on_damage: Tell | None,
    block: int = WINDOW,
) -> Iterator[Match | None]:
    """What :func:`query` is made of. The arguments are looked at now, the log when the first record is asked for."""
    if limit is not None:
        whole_number("limit", limit)
    whole_number("offset", offset)
    seq, known = cursor.parse(after)
    selection = Selection(filters, after=seq)
    return _find(path, selection, limit, offset, known, reverse, on_damage or notices.warn, block)


def _find(
    path: str | os.PathLike[str],
    selection: Selection,
    limit: int | None,
    offset: int,
    known: str | None,
    reverse: bool,
    tell: Tell,
    block: int,
) -> Iterator[Match | None]:
    if limit == 0:
        return
    with Snapshot(resolve(path)) as snapshot:
        segments = Segments(snapshot, tell)
        segments.tell_of_active()
        if known is not None:
            cursor.check(segments, selection.after, known)
        for match in matches(segments, selection, tell, block=block, reverse=reverse):
            if match is None:
                yield None
            elif offset:
                offset -= 1
            else:
                yield match
                if limit is not None:
                    limit -= 1
                    if not limit:
                        return


def last(
    path: str | os.PathLike[str], n: int, filters: Any, on_damage: Tell | None, block: int = WINDOW
) -> list[Match]:
    """What :func:`tail` is made of."""
    whole_number("n", n)
    found = find(path, filters, n, 0, 0, True, on_damage, block)
    return [match for match in found if match is not None][::-1]


def whole_number(name: str, value: Any) -> None:
    """Raises QueryError where `value` is no number of records."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise QueryError(f"{name} is a whole number from 0 on, not {shown(value):.60}", actual=value)
