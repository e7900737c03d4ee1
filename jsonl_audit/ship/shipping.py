"""`ship`: logs copied to a folder, a share or a store, once or for ever, so that what arrived is known to be right."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from jsonl_audit.errors import AuditError, LockedError, LogError, StorageError
from jsonl_audit.ship.outcome import Shipped, Tell
from jsonl_audit.ship.pace import Pace
from jsonl_audit.ship.shipment import Shipment
from jsonl_audit.snapshot import resolve

__all__ = ["ship"]

PATIENCE = 30.0
"""Seconds at most between two tries, where a destination or a source is out of reach."""


def ship(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    destination: str | os.PathLike[str],
    *,
    follow: bool = False,
    interval: float = 1.0,
    bwlimit: float | None = None,
    hold: bool = True,
    again: bool = False,
    artifacts: bool = True,
    options: dict[str, Any] | None = None,
    stop: Callable[[], bool] | Event | None = None,
    progress: Callable[[int, int], object] | None = None,
    on_notice: Tell | None = None,
) -> list[Shipped]:
    """Copies logs to a destination: what is committed, in order, each sealed segment once, artifacts first.

    What lies at the destination is at every moment a state that the log itself was in once, whatever this is stopped
    by. Where to go on is read from there and compared with the source by digest; what arrives is read back. Nothing
    there is ever cut or written over: where it is not a beginning of what the source holds, shipping that log ends.

    :param sources: the log's path, or several; a folder with one log in it will do.
    :param destination: a folder, which is made if it is not there, or an address that fsspec knows, such as
        ``s3://bucket/logs`` (the extra ``fsspec``).
    :param follow: goes on until `stop`, looking each `interval` seconds, and tries again where the source or the
        destination is out of reach, full, or in use by another shipper.
    :param bwlimit: bytes a second, on average.
    :param hold: retention at the source (:meth:`AuditLog.purge <jsonl_audit.AuditLog.purge>`, ``backup_count``) waits
        until what it would let go is at this destination.
    :param again: sends again what had arrived and is not at the destination any more; else that is taken for moved away
        on purpose.
    :param artifacts: whether the artifacts of the logs are copied too.
    :param options: of the file system, for an address.
    :param stop: an Event or a callable that says when to end; what has arrived by then is whole.
    :param progress: called with bytes moved, and bytes to move in all as far as they are known.
    :param on_notice: called with each problem and each note when it is met.

    Returns what came of each log. Raises LogError for what makes no sense, and, once all the others are shipped, the
    first error of a log: :class:`~jsonl_audit.RefusedError` where the destination holds something else,
    WrongLogError where it holds another log, LockedError where somebody else ships there, StorageError where the system
    refuses. What came of the logs is in its ``done`` then.

    >>> import tempfile, pathlib
    >>> from jsonl_audit import AuditLog, ship, verify
    >>> here, there = pathlib.Path(tempfile.mkdtemp()), pathlib.Path(tempfile.mkdtemp())
    >>> with AuditLog(here / "audit.jsonl") as log:
    ...     receipt = log.append("exec.completed", outcome="success")
    ...     done, = ship(log.path, there)
    >>> done.seq == receipt.seq, done.head == receipt.hash, verify(there / "audit.jsonl").verdict
    (True, True, 'intact')
    """
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not given:
        raise LogError("no log to ship; name one")
    if not interval > 0:
        raise LogError(f"interval is a number of seconds above 0, not {interval!r}")
    pace = Pace(bwlimit, stop, progress)
    shipments = [
        Shipment(resolve(each), destination, pace, Shipped("", "", tell=on_notice),
                 hold=hold, again=again, artifacts=artifacts, options=options)
        for each in given
    ]  # fmt: skip
    _must_differ(shipments)
    try:
        if follow:
            _follow(shipments, pace, interval)
        else:
            for shipment in shipments:
                _once(shipment)
    finally:
        for shipment in shipments:
            shipment.close()
    outcomes = [shipment.outcome for shipment in shipments]
    for outcome in outcomes:
        if outcome.error is not None:
            outcome.error.done = tuple(outcomes)
            raise outcome.error
    return outcomes


def _must_differ(shipments: list[Shipment]) -> None:
    names: dict[str, str] = {}
    for shipment in shipments:
        name, path = os.path.basename(shipment.names.path), shipment.names.path
        if name in names:
            raise LogError(f"it has the name that {names[name]} has: ship each into a folder of its own", path=path)
        names[name] = path


def _once(shipment: Shipment) -> None:
    try:
        shipment.round()
        shipment.close()
    except AuditError as error:
        shipment.outcome.error = error


def _follow(shipments: list[Shipment], pace: Pace, interval: float) -> None:
    """Rounds, until it is time to end or nothing is left that can be shipped."""
    waiting: dict[Shipment, tuple[float, str]] = dict.fromkeys(shipments, (0.0, ""))
    while waiting and not pace.stopped:
        moved = False
        for shipment, (waited, why) in list(waiting.items()):
            try:
                moved = shipment.round() or moved
                if why:
                    shipment.outcome.say("note", "it goes on", shipment.names.path)
                waiting[shipment] = 0.0, ""
            except (StorageError, LockedError) as error:  # out of reach, full, in use: that may pass
                if str(error) != why:
                    shipment.outcome.say("note", f"{error.message}; it is tried again", error.path or "")
                waiting[shipment] = min(max(interval, 2 * waited), PATIENCE), str(error)
            except AuditError as error:
                shipment.outcome.error = error
                del waiting[shipment]
                if waiting:  # the others go on, and this is told when all of them have ended
                    shipment.outcome.say("note", f"{error.message}; this log is shipped no more", error.path or "")
        if not moved and waiting:
            pace.rest(max(interval, min(waited for waited, _ in waiting.values())))
