"""The record of what this process reads: each read once, and the same read within a minute counted with it.

A read is recorded when it is over; one that has given many records, and one that may go on for ever, also as it begins.
The same read again (the same log, way and filters), within a minute of a record of it, is counted, and the count is
recorded when the minute is over and this process reads again, or ends. What is recorded is written before the call
returns. It never makes a read fail: where it cannot be recorded, that is told once, and the read goes on.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import orjson
from blake3 import blake3

from jsonl_audit import instants
from jsonl_audit.accessed.origin import this_reader
from jsonl_audit.accessed.setting import Place, place_of
from jsonl_audit.errors import AuditError
from jsonl_audit.reader.notices import Notice, Tell

__all__ = ["Recorder", "counted", "record"]

TOGETHER = 60.0
"""Seconds within which the same reads are counted together."""
_MANY = 100
"""A read that has given so many records is recorded before it gives more."""
_MOST_KINDS = 1000
_MOST_OPEN = 16
"""So many logs of reads are kept open: whoever reads thousands of logs has files to open of their own."""
_LONGEST = 4096
"""Bytes of JSON of filters; longer ones are told by their length and hash."""
_TELLING = frozenset(("type", "since", "until", "level", "outcome", "which", "verdict"))
"""Filters whose values no rule of redaction takes out of a record."""
_Record = TypeVar("_Record")


@dataclass(slots=True)
class _Counted:
    """Reads that are alike, since one of them was recorded."""

    place: Place
    operation: str
    what: dict[str, Any]
    tell: Tell
    until: float
    since: str
    times: int = 0
    records: int = 0


class _Due(NamedTuple):
    """What is to be appended."""

    place: Place
    operation: str
    what: dict[str, Any]
    tell: Tell
    how_many: dict[str, Any]


@dataclass(slots=True, eq=False)
class _Going:
    """A read that is going on."""

    path: str | os.PathLike[str]
    operation: str
    what: dict[str, Any]
    tell: Tell
    place: Place | None
    records: int = 0


@dataclass(eq=False)  # without slots: `registry` refers to it weakly
class Recorder:
    """All that this process reads."""

    counts: dict[tuple[str, str, str, bytes], _Counted] = field(default_factory=dict)
    going: set[_Going] = field(default_factory=set)
    beside: dict[str, Any] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    lock: Any = field(default_factory=threading.RLock)
    """Held for looks at what stands here alone."""
    busy: threading.local = field(default_factory=threading.local)
    later: list[_Due] = field(default_factory=list)
    due: float = 0.0
    registered: bool = False
    at_exit: bool = False
    ended: bool = False

    def begins(self, going: _Going) -> None:
        """A read that is going on: it is over at the latest when the process is."""
        if not self.at_exit:
            self.at_exit = True
            atexit.register(self.close)
        self.going.add(going)

    def record(self, place: Place, operation: str, what: Mapping[str, Any], count: int, tell: Tell) -> None:
        """A read that is over."""
        if self.ended:
            return
        now = time.monotonic()
        plain = _plain(what)
        key = place.log, place.names.path, operation, orjson.dumps(plain)
        with self.lock:
            due = self.over(now) if now >= self.due or len(self.counts) >= _MOST_KINDS else []
            known = self.counts.get(key)
            if known is not None:
                known.times += 1
                known.records += count
            else:
                until = now + TOGETHER
                self.due = min(self.due, until) if self.counts else until
                self.counts[key] = _Counted(place, operation, plain, tell, until, _now())
                due.append(_Due(place, operation, plain, tell, {"records": count}))
        if due:
            self.write(due)

    def over(self, now: float | None) -> list[_Due]:
        """The counts that are to be told: of those whose minute is over, or of all, where there are too many."""
        if now is None or len(self.counts) >= _MOST_KINDS:
            told, self.counts = self.counts, {}
        else:
            told = {key: each for key, each in self.counts.items() if each.until <= now}
            self.counts = {key: each for key, each in self.counts.items() if key not in told}
        self.due = min((each.until for each in self.counts.values()), default=0.0)
        return [
            _Due(
                each.place, each.operation, each.what, each.tell,
                {"records": each.records, "times": each.times, "since": each.since},
            )
            for each in told.values()
            if each.times
        ]  # fmt: skip

    def write(self, due: list[_Due]) -> None:
        """Appends records, none of them from within another.

        A collection may end a read at any moment, also in the middle of this: then whoever is at it goes on with it.
        No lock of ours is held here, for an appender may wait for a thread in which a read is ended.
        """
        if getattr(self.busy, "on", False):
            with self.lock:
                self.later += due
            return
        self.busy.on = True
        try:
            while due:
                for each in due:
                    self.append(each)
                with self.lock:
                    due, self.later = self.later, []
        finally:
            self.busy.on = False

    def append(self, due: _Due) -> None:
        """Appends one record, where the log wants it; says so where that is impossible."""
        from jsonl_audit.accessed.beside import Beside, into_log

        if not self.registered:
            from jsonl_audit.writer import registry

            registry.add_first(self)
            self.registered = True
        place, path = due.place, due.place.names.path
        here = place_of(path)
        if here is None or here.log != place.log:
            return  # the log is gone, and what was read of it stands nowhere; another log has nothing to do with it
        try:
            asked = {"log": place.log, "operation": due.operation}
            details = {**asked, **this_reader(), "filters": _clean(due.what, place.redact), **due.how_many}
            if place.setting == "log" and into_log(place, details):
                return
            with self.lock:
                beside = self.beside.pop(path, None)
                if beside is not None and beside.log != place.log:
                    beside.abandon()
                    beside = None
                beside = beside or Beside(place)
                self.beside[path] = beside  # the one used last stands last
                oldest = self.beside.pop(next(iter(self.beside))) if len(self.beside) > _MOST_OPEN else None
            if oldest is not None:
                oldest.close()
            beside.append(details)
        except (AuditError, OSError) as error:
            if path not in self.told:
                self.told.add(path)
                why = error.message if isinstance(error, AuditError) else error.strerror or str(error)
                where = getattr(error, "path", None) or getattr(error, "filename", None) or path
                message = f"reading {path} could not be recorded ({where}: {why}); it was read all the same"
                due.tell(Notice("not-recorded", message, path))

    def flush(self) -> None:
        """Tells all that was counted."""
        with self.lock:
            due = self.over(None)
        self.write(due)

    def close(self) -> None:
        """The process ends: what is still to be told is told."""
        for going in list(self.going):
            self.going.discard(going)
            _over(going)
        self.flush()
        self.ended = True
        with self.lock:
            opened, self.beside = self.beside, {}
        for beside in opened.values():
            beside.close()

    def after_fork(self) -> bool:
        """In a child: what the parent has read, the parent tells."""
        self.lock, self.busy = threading.RLock(), threading.local()
        self.later.clear()
        self.counts.clear()
        self.going.clear()
        self.told.clear()
        return True


_recorder = Recorder()


def record(path: str | os.PathLike[str], operation: str, what: Mapping[str, Any], count: int, tell: Tell) -> None:
    """Records that `count` records of the log at `path` were read, where the log wants that recorded.

    :param operation: such as ``"query"``.
    :param what: what was asked for: filters, limits, a seq.
    :param tell: told where it cannot be recorded.
    """
    place = place_of(path)
    if place is not None:
        _recorder.record(place, operation, what, count, tell)


def counted(
    found: Iterator[_Record],
    path: str | os.PathLike[str],
    operation: str,
    what: Mapping[str, Any],
    tell: Tell,
    counts: Callable[[_Record], bool] | None = None,
) -> Generator[_Record, None, None]:
    """What an iterator gives, and a record of it once it is at its end, is closed, or the process ends.

    :param counts: whether what it gives is a record; all of it by default.
    """
    going = _Going(path, operation, dict(what), tell, place_of(path))
    begins = 1 if operation == "follow" else _MANY
    _recorder.begins(going)
    try:
        if counts is None:
            for going.records, each in enumerate(found, 1):
                if going.records == begins:
                    _over(going, begun=True)
                yield each
        else:
            for each in found:
                if counts(each):
                    going.records += 1
                    if going.records == begins:
                        _over(going, begun=True)
                yield each
    finally:
        close = getattr(found, "close", None)
        if close is not None:
            close()
        if going in _recorder.going:
            _recorder.going.discard(going)
            _over(going)


def _over(going: _Going, *, begun: bool = False) -> None:
    """Records a read that is over, or one that has only begun. What is not here as it begins may be here by now."""
    place = going.place or place_of(going.path)
    if place is not None:
        what = {**going.what, "begun": True} if begun else going.what
        _recorder.record(place, going.operation, what, going.records, going.tell)


def _now() -> str:
    return instants.text(time.time_ns() // 1000)


def _plain(what: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for as JSON holds it."""
    if all(type(value) in (int, bool) for value in what.values()):
        return dict(what)
    from jsonl_audit import values

    return values.plain({name: _named(value) for name, value in what.items()})


def _named(value: Any) -> Any:
    """Functions by their names: what they are at which address says nothing, and is another one each time."""
    if isinstance(value, Mapping):
        return {name: _named(each) for name, each in value.items()}
    if callable(value):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
    return value


def _clean(what: dict[str, Any], redact: str | None) -> dict[str, Any]:
    """Without secrets, for somebody may have looked for one: by the rules of the log, as far as they are known here.

    Rules of the log's own are its program's: what they would take out cannot be told from what they would leave.
    """
    if not any(type(value) not in (int, bool) for value in what.values()):
        return what
    from jsonl_audit.redact.redactor import PROFILES, redactor_of

    redactor = redactor_of(redact if redact in PROFILES else "default")
    assert redactor is not None
    own = redact not in (None, *PROFILES)
    made: dict[str, Any] = {
        name: _withheld(value) if own and name not in _TELLING else value
        for name, value in redactor.value(what, {}).items()
    }
    text = orjson.dumps(made)
    return made if len(text) <= _LONGEST else {"bytes": len(text), "blake3": blake3(text).hexdigest()}


def _withheld(value: Any) -> Any:
    """A value without its texts."""
    if isinstance(value, Mapping):
        return {name: _withheld(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_withheld(each) for each in value]
    return f"<withheld:{len(value)} characters>" if isinstance(value, str) else value
