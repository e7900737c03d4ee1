"""Free space: what is done before a disk is full, at one or two thresholds.

Looked at beside the commits, in no lock, at most each second or each 16 MiB; a log that is not appended to looks at
nothing.
"""

from __future__ import annotations

import errno
import re
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import orjson

from jsonl_audit import storage
from jsonl_audit.errors import AuditError, StorageError
from jsonl_audit.events import registry
from jsonl_audit.record import Body
from jsonl_audit.writer.appender import Appender

__all__ = ["ACTIONS", "Space", "Threshold", "thresholds"]

ACTIONS = ("ignore", "warn", "exec", "rotate", "purge", "shed", "suspend")
"""What can be done at a threshold."""
LOW = frozenset(("trace", "debug", "verbose", "info", "informational"))
"""Levels that `shed` leaves out; as numbers, those up to 20."""
EVERY = 1_000_000_000
"""Nanoseconds between two looks, unless this is appended before:"""
EVERY_BYTES = 16 << 20
AGAIN = 0.1
"""Seconds between two looks while appending is suspended."""
ENOUGH = 1.1
"""So many times the threshold have to be free before it counts as over: no flutter around it."""
_TEXT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(%|[kKMGT]i?B|B|)\s*")


class Threshold:
    """So much is to be left free, and what is done when it is not."""

    def __init__(self, name: str, given: int | str, action: str) -> None:
        """Raises ValueError for what is no amount of space."""
        self.name = name
        self.action = action
        self.below = False
        self._part = 0.0
        self._bytes = 0
        found = _TEXT.fullmatch(given) if isinstance(given, str) else None
        if type(given) is int and given >= 0:
            self._bytes = given
        elif found is None or (found[2] == "%" and float(found[1]) > 100):
            raise ValueError(f"{name} is a number of bytes, or a text such as '500MiB' or '5%', not {given!r}")
        elif found[2] == "%":
            self._part = float(found[1]) / 100
        else:
            power = "BKMGT".index((found[2] or "B")[0].upper())
            self._bytes = int(float(found[1]) * (1024 if "i" in found[2] else 1000) ** power)

    def size(self, total: int) -> int:
        """In bytes, on a disk of `total` bytes."""
        return int(self._part * total) if self._part else self._bytes

    def crossed(self, free: int, total: int) -> bool:
        """Whether it is not the case any more what was the last time; `below` says what is."""
        limit = self.size(total)
        now = free < (limit * ENOUGH if self.below else limit)
        changed, self.below = now != self.below, now
        return changed


def thresholds(
    space_left: int | str | None,
    space_left_action: str,
    admin_space_left: int | str | None,
    admin_space_left_action: str,
    on_space: Any,
) -> list[Threshold]:
    """The thresholds that are to be looked at.

    Raises ValueError for what makes no sense.

    >>> [threshold.size(10**9) for threshold in thresholds("500MiB", "warn", "5%", "suspend", None)]
    [524288000, 50000000]
    """
    given = (
        ("space_left", space_left, space_left_action),
        ("admin_space_left", admin_space_left, admin_space_left_action),
    )
    for name, _, action in given:
        if action not in ACTIONS:
            raise ValueError(f"{name}_action is one of {', '.join(ACTIONS)}, not {action!r}")
    found = [Threshold(name, left, action) for name, left, action in given if left is not None]
    if on_space is not None and not callable(on_space):
        raise ValueError(f"on_space is a function of path, free bytes and threshold, not {on_space!r}")
    if (on_space is not None) != any(threshold.action == "exec" for threshold in found):
        raise ValueError("on_space is called where the action at a threshold is 'exec': give both, or neither")
    return [threshold for threshold in found if threshold.action != "ignore"]


class Space:
    """The free space of one open log's disk."""

    def __init__(
        self,
        appender: Appender,
        thresholds: list[Threshold],
        on_space: Callable[[str, int, int], object] | None,
        restrict: Callable[[], None],
    ) -> None:
        self.shed = self.suspended = False
        self._appender = appender
        self._thresholds = thresholds
        self._on_space = on_space
        self._restrict = weakref.WeakMethod(restrict)  # what has this is not to be kept by it
        self._looking = threading.Lock()
        self._next = 0
        self._next_bytes = 0
        self._free = self._least = 0

    def begin(self) -> None:
        """Looks for the first time, and has itself asked from then on."""
        itself = weakref.ref(self)  # the log is not to be kept by what looks after it

        def watch(now: int) -> None:
            space = itself()
            if space is not None:
                space.passing(now)

        self.due(time.time_ns(), 0)
        self.look()
        self._appender.watch(watch)
        self._appender.notes.tell()

    @property
    def restricts(self) -> bool:
        """Whether not every event is to be written."""
        return self.shed or self.suspended

    def due(self, now: int, appended: int) -> bool:
        """Whether it is time to look; `now` is in nanoseconds since 1970."""
        if 0 <= self._next - now <= EVERY and appended < self._next_bytes:
            return False
        self._next, self._next_bytes = now + EVERY, appended + EVERY_BYTES
        return True

    def passing(self, now: int) -> None:
        """In the middle of a commit: has it looked when that is over, if it is time."""
        if self.due(now, self._appender.figures()["bytes"]):
            self._appender.notes.untold.append(self.look)

    def look_again(self) -> None:
        """Looks where nothing is committed, at most each second."""
        if self.due(time.time_ns(), 0):
            self.look()

    def look(self) -> None:
        """Looks how much is free and does what is to be done. Raises nothing; one thread at a time."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look()
        finally:
            self._looking.release()

    def refusal(self) -> AuditError | None:
        """Why nothing is to be written now; None if something is."""
        if self.suspended and time.time_ns() - (self._next - EVERY) >= AGAIN * EVERY:
            self.due(time.time_ns(), self._next_bytes)
            self.look()
        if not self.suspended:
            return None
        return StorageError(
            f"appending is suspended: {self._free} bytes are free, less than {self._least}; make space, and it goes on",
            path=self._appender.names.path,
            errno=errno.ENOSPC,
        )

    def sheds(self, bodies: list[Body]) -> bool:
        """Whether the events of a call are left out: all of them say that they are of little importance."""
        if self.shed:
            self.look_again()
        return self.shed and all(_is_low(body.members) and not _is_security(body.type) for body in bodies)

    def forked(self) -> None:
        """In a child: another thread may have been looking."""
        self._looking = threading.Lock()

    def _look(self) -> None:
        try:
            free, total = storage.free_space(self._appender.names.directory)
        except OSError:  # the next append meets what is wrong
            return
        self._free = free
        shed = suspended = False
        for threshold in self._thresholds:
            crossed = threshold.crossed(free, total)
            if crossed:
                self._note(threshold, free, total)
            if threshold.below:
                shed |= threshold.action == "shed"
                if threshold.action == "suspend":
                    suspended, self._least = True, threshold.size(total)
                if crossed or threshold.action == "purge":
                    self._act(threshold, free, total)
        self.shed, self.suspended = shed, suspended
        restrict = self._restrict()
        if (shed or suspended) and restrict is not None:
            restrict()

    def _note(self, threshold: Threshold, free: int, total: int) -> None:
        limit = threshold.size(total)
        done = {
            "rotate": "; the active segment is sealed",
            "purge": "; the oldest segments are purged",
            "shed": "; events of level info and below are left out, and counted",
            "suspend": "; appending is suspended",
        }.get(threshold.action, "")
        if threshold.below:
            self._appender.notes.add(f"{free} bytes are free, less than {threshold.name} ({limit}){done}")
        else:
            self._appender.notes.add(f"{free} bytes are free, more than {threshold.name} ({limit}) again")

    def _act(self, threshold: Threshold, free: int, total: int) -> None:
        limit = threshold.size(total)
        try:
            if threshold.action == "exec" and self._on_space is not None:
                self._on_space(self._appender.names.path, free, limit)
            elif threshold.action == "rotate":
                self._appender.rotate()
            elif threshold.action == "purge":
                self._purge(limit)
        except AuditError as error:
            self._appender.notes.add(f"{threshold.action}, for want of space: {error.message}")
        except Exception as error:  # noqa: BLE001 - the user's own function; appending goes on
            self._appender.notes.add(f"on_space failed: {type(error).__name__}: {error}")

    def _purge(self, limit: int) -> None:
        """Lets one segment after the other go, the oldest first, until enough is free or only one is left."""
        names = self._appender.names
        while len(sealed := names.list_sealed()) > 1:
            reason = f"less than {limit} bytes were free"
            if not self._appender.purge(len(sealed) - 1, reason):
                break
            self._free, _ = storage.free_space(names.directory)
            if self._free >= limit:
                break


def _is_security(kind: bytes) -> bool:
    """Whether events of that type are kept for security's sake: these are not of little importance, whatever they say.

    >>> _is_security(b"auth.connect.success"), _is_security(b"my.own")
    (True, False)
    """
    known = registry.get(kind.decode())
    return known is not None and known.retention == "security"


def _is_low(members: bytes) -> bool:
    """Whether an event says of itself that it is of little importance.

    >>> [_is_low(members) for members in (b',"level":"DEBUG"', b',"level":"warning"', b"")]
    [True, False, False]
    """
    if b'"level":' not in members and b'"severity":' not in members:
        return False
    event: dict[str, Any] = orjson.loads(b"{" + members[1:] + b"}")
    level = event.get("level", event.get("severity"))
    if isinstance(level, str):
        return level.lower() in LOW
    return isinstance(level, int) and not isinstance(level, bool) and level <= 20
