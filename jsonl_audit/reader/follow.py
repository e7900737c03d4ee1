"""Following a log: what it holds, and then each record as it is committed, across rotation, until told to stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import TYPE_CHECKING, Any

from jsonl_audit.errors import QueryError
from jsonl_audit.forms import shown
from jsonl_audit.reader import cursor, notices
from jsonl_audit.reader.filters import Filters, Selection
from jsonl_audit.reader.follower import Follower, Wait
from jsonl_audit.reader.matches import Match
from jsonl_audit.reader.newest import Newest
from jsonl_audit.reader.notices import Tell
from jsonl_audit.reader.query import After, whole_number
from jsonl_audit.reader.windows import WINDOW

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["POLL", "follow", "follow_lines", "followed", "stopper"]

POLL = 0.05
"""How many seconds pass between two looks at a log."""




def follow(
    path: str | os.PathLike[str],
    *,
    n: int = 0,
    after: After | None = None,
    poll: float = POLL,
    stop: Callable[[], bool] | Event | None = None,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> Iterator[dict[str, Any]]:
    """The records that fit, each as soon as it is committed: an iterator without an end.

    It goes on across rotation, and neither misses nor repeats a record; of a batch it waits for the last record. A
    log that is not there yet is waited for. Ctrl-C ends it as it ends any loop.

    :param n: begin with the last `n` records that fit; 0 for only those committed from now on, which come in any case.
    :param after: begin behind this seq instead; ``(seq, hash)`` of a record also checks that it is in this log, so
        these two are what to keep for going on after a restart.
    :param poll: how many seconds to wait before looking again.
    :param stop: an Event, or a callable. Once it is set, or says True, what is there is given, and then it ends.
    :param on_damage: called with a :class:`~jsonl_audit.Notice` for what is passed over, and where records
        that were given have been taken back (``voided``): a failed sync, or a crash, can do that.

    The other arguments are those of :func:`query`. Raises what `query` raises, except that it waits where there is no
    such log; WrongLogError also where the log that is followed was replaced by another, cut, or rolled back.

    >>> from jsonl_audit import AuditLog
    >>> with AuditLog("audit.jsonl", fsync="never") as log:
    ...     receipts = [log.append("exec.completed", step=step) for step in range(3)]
    >>> [record["step"] for record in follow("audit.jsonl", after=receipts[0].seq, stop=lambda: True)]
    [1, 2]
    """
    newest = Newest(path, on_damage or notices.warn)
    return (newest(match.record) for match in _waiting(path, n, after, poll, stop, on_damage, block, filters))


def follow_lines(
    path: str | os.PathLike[str],
    *,
    n: int = 0,
    after: After | None = None,
    poll: float = POLL,
    stop: Callable[[], bool] | Event | None = None,
    on_damage: Tell | None = None,
    block: int = WINDOW,
    **filters: Unpack[Filters],
) -> Iterator[bytes]:
    """As :func:`follow`, but the lines as they stand on disk, LF included."""
    return (match.piece + b"\n" for match in _waiting(path, n, after, poll, stop, on_damage, block, filters))


def _waiting(
    path: str | os.PathLike[str],
    n: int,
    after: After | None,
    poll: float,
    stop: Callable[[], bool] | Event | None,
    on_damage: Tell | None,
    block: int,
    filters: Any,
) -> Iterator[Match]:
    stopped = stopper(stop, poll)
    follower = followed(path, n, after, on_damage, block, filters)
    follower.begin()
    return _sleeping(follower.run(), poll, stop, stopped)


def _sleeping(
    found: Iterator[Match | Wait | None], poll: float, stop: Any, stopped: Callable[[], bool]
) -> Iterator[Match]:
    pause = stop.wait if isinstance(stop, Event) else time.sleep
    ending = stopped()
    for match in found:
        if match is Wait.WAIT:
            if ending:
                return
            ending = stopped()
            if not ending:
                pause(poll)
                ending = stopped()
        elif match is not None:
            yield match


def stopper(stop: Any, poll: float) -> Callable[[], bool]:
    """`stop` as something to ask. Raises QueryError for what is neither an Event nor a callable, or a bad `poll`."""
    if not poll > 0:
        raise QueryError(f"poll is a number of seconds above 0, not {shown(poll):.60}", actual=poll)
    if stop is None:
        return lambda: False
    asked: Any = getattr(stop, "is_set", stop)
    if not callable(asked):
        raise QueryError(f"stop is an Event or a callable, not {shown(stop):.60}", actual=stop)
    return lambda: bool(asked())


def followed(
    path: str | os.PathLike[str], n: int, after: After | None, on_damage: Tell | None, block: int, filters: Any
) -> Follower:
    """What :func:`follow` is made of: a reader at its place. The arguments are looked at now, and no file."""
    whole_number("n", n)
    seq, known = (0, None) if after is None else cursor.parse(after)
    if n and after is not None:
        raise QueryError("follow begins at n or at after, not at both", actual=after)
    selection = Selection(filters, after=seq)
    tell = on_damage or notices.warn
    return Follower(path, selection, tell, n=n, seq=seq, known=known, at_end=after is None, block=block)
