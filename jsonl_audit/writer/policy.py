"""What happens to an event that cannot be written: the user's policy decides, and the log itself says what was lost.

As long as all is well nothing here is called. From the first failure on (`trouble`) every append comes through
here, one after the other, until the log can be written again, all that was held is brought in, and all that was lost
or delayed is told in the chain.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from errno import ETIMEDOUT
from typing import TypeVar

from jsonl_audit.errors import AuditError, ClosedError, LogError, StorageError, SyncError
from jsonl_audit.record import Body
from jsonl_audit.writer import registry
from jsonl_audit.writer.appender import Appender
from jsonl_audit.writer.arrears import Arrears
from jsonl_audit.writer.background import Background
from jsonl_audit.writer.chain import Receipt
from jsonl_audit.writer.pending import Pending
from jsonl_audit.writer.space import Space
from jsonl_audit.writer.tally import now_text
from jsonl_audit.writer.transient import PAUSES, is_transient
from jsonl_audit.writer.turn import WithinItselfError, within_itself

__all__ = ["OPERATIONAL", "Policy"]

OPERATIONAL = (StorageError, LogError)
"""What a policy decides about; an event that is refused and a log that is closed are the caller's."""
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 1.0
"""Seconds: what `block` waits before its second try, and at most."""
TRY_EVERY = 0.5
"""Seconds between two looks at whether the log can be written again; more where a look takes long."""
PART = 0.05
"""Seconds of bringing in, after which others have their turn."""
DELAYED_FROM = 1.0
"""Seconds: an event that waited longer counts as delayed."""

_Result = TypeVar("_Result")
_WAITED: tuple[type[AuditError], str, int | None] = StorageError, "others came first, and took too long", ETIMEDOUT


class Policy:
    """The failure policy of one open log."""

    def __init__(self, appender: Appender, mode: str, timeout: float | None, arrears: Arrears) -> None:
        self.trouble = False
        """Whether appends have to come through here."""
        self.mode = mode
        self.arrears = arrears
        self.spilled = 0
        """How many events were ever held."""
        self.last_error: tuple[str, str] | None = None
        """What went wrong last, and when."""
        self.space: Space | None = None
        self._appender = appender
        self._timeout = timeout
        self._background = Background(self.look_again, 2 * TRY_EVERY)
        self._next_try = 0.0
        self._way = _WAITED  # what stands in it: class, message and errno of an error
        self._closing = False
        self._new_order()
        registry.add_first(self)

    def _new_order(self) -> None:
        self._gate = threading.RLock()  # taken by itself: entering a Condition is Python's code, and can be interrupted
        self._order = threading.Condition(self._gate)
        self._places: list[int] = []

    # -- what the log calls

    def after(self, error: AuditError, groups: Sequence[Sequence[Body]]) -> list[Receipt]:
        """What comes of events whose commit failed. Raises an error, where that is the policy."""
        pending = Pending(groups)
        self._failed(pending, error)
        if isinstance(error, WithinItselfError) or self._here():
            return self._within(pending, error)
        again = self._transient(pending, error)
        if again is None:
            return pending.receipts
        if self.mode == "raise":
            raise pending.told(again)
        return self._in_order(lambda: self._handle(pending, again), pending)

    def commit(self, groups: Sequence[Sequence[Body]]) -> list[Receipt]:
        """What `Appender.commit` does, in trouble."""
        pending = Pending(groups)
        if self._here():
            return self._within(pending, self._within_itself())
        return self._in_order(lambda: self._append(pending), pending)

    def flush(self) -> None:
        """What `Appender.flush` does, in trouble: events that stay held are on disk in their spill log."""
        if self._here():
            raise self._within_itself()
        self._in_order(self._flush)

    def close(self) -> None:
        """A last try; what cannot be told in the chain is told to the logger."""
        if self._here():
            raise self._within_itself()
        registry.discard(self)
        if self.mode == "spill" and not (self._closing or self.trouble or self._appender.closed):
            self.take_over()  # of workers that died since
        with self._gate:
            self._closing = True
            self._order.notify_all()
        self._background.stop()
        if self.trouble:
            self._in_order(self._end)
        self._background.end()

    def after_fork(self) -> bool:
        """In a child: what is held, and to be told, is the parent's."""
        self._new_order()
        self._background = Background(self.look_again, 2 * TRY_EVERY)
        self.arrears.forget()
        self._appender.notes.later = False
        if self.space is not None:
            self.space.forked()
        self.trouble = self.space is not None and self.space.restricts
        return True

    def restrict(self) -> None:
        """From now on not every event is to be written."""
        self.trouble = True
        self._background.wake()

    def take_over(self) -> None:
        """Brings in what processes that are no more have left in their spill logs."""
        if self.arrears.take_over():
            self.trouble = True
            self._in_order(lambda: self._recover(all_of_it=True))
            if self.trouble:
                notes = self._appender.notes
                notes.add(f"events left in a spill log cannot be brought in yet; later ones wait: {self.last_error}")
                notes.tell()
                self._background.wake()

    def look_again(self) -> None:
        """What the background thread does: an idle program recovers too."""
        with contextlib.suppress(ClosedError):
            while self.trouble and not self._closing and self._in_order(self._look):
                pass
        if self.trouble:
            self._background.wake()

    # -- one after the other

    def _here(self) -> bool:
        """Whether this thread is in the middle of another call: it was interrupted by a signal, or a destructor."""
        return threading.get_ident() in self._places

    def _within_itself(self) -> AuditError:
        return within_itself(self._appender.names.path)

    def _in_order(self, work: Callable[[], _Result], pending: Pending | None = None) -> _Result:
        """Does the work when all who came before are done; then the notes of it are told.

        An event that is to wait no longer than so long does not wait longer for its turn either.
        """
        me = threading.get_ident()
        notes = self._appender.notes
        order, places = self._order, self._places
        try:
            with self._gate:
                try:
                    places.append(me)
                    while places[0] != me:
                        left = None if pending is None else self._time_left(pending)
                        if pending is not None and left is not None and left <= 0:
                            raise self._timed_out(pending, self._now())
                        order.wait(left)
                    notes.later = True
                    return work()
                finally:
                    if places and places[0] == me:
                        notes.later = False
                    if me in places:
                        places.remove(me)
                    order.notify_all()
        finally:
            if notes.untold:
                notes.tell()

    # -- trying

    def _failed(self, pending: Pending, error: AuditError) -> None:
        pending.failed(error)
        self._remember(error)

    def _remember(self, error: BaseException) -> None:
        self.last_error = (str(error), now_text())

    def _commit(self, pending: Pending) -> AuditError | None:
        """Has it recorded, with patience for errors that are over in a moment. Returns what stays in the way."""
        refusal = self.space.refusal() if self.space is not None else None
        if refusal is not None:
            self._remember(refusal)
            return refusal
        try:
            pending.commit(self._appender)
        except OPERATIONAL as error:
            self._remember(error)
            return self._transient(pending, error)
        return None

    def _transient(self, pending: Pending, error: AuditError) -> AuditError | None:
        for pause in PAUSES:
            if not is_transient(error) or self._closing:
                break
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that several do not try in step
            try:
                pending.commit(self._appender)
            except OPERATIONAL as another:
                error = another
                self._remember(error)
            else:
                return None
        return error

    def _within(self, pending: Pending, error: AuditError) -> list[Receipt]:
        """An event that comes in the middle of its own thread's call: it cannot wait, and it cannot be written."""
        if self.mode != "drop":
            raise pending.told(error)
        self.arrears.dropped.add(pending.left, error.message, None)
        self.trouble = True
        return pending.dropped()

    # -- in trouble

    def _append(self, pending: Pending) -> list[Receipt]:
        if self.space is not None and self.space.sheds(pending.bodies):
            self.arrears.left_out.add(pending.left, "little space is left", None)
            return pending.dropped()
        if self.trouble and self.mode in ("drop", "spill") and not (self._due() and self._recover()):
            if self._appender.closed:
                pending.commit(self._appender)  # which says so
            return self._not_now(pending, None)
        error = self._commit(pending)
        if error is not None:
            return self._handle(pending, error)
        self._after_success(pending)
        return pending.receipts

    def _handle(self, pending: Pending, error: AuditError) -> list[Receipt]:
        if self.mode == "raise":
            raise pending.told(error)
        self._trouble(error)
        if self.mode == "block":
            return self._block(pending, error)
        self._not_before(TRY_EVERY)
        return self._not_now(pending, error)

    def _not_now(self, pending: Pending, error: AuditError | None) -> list[Receipt]:
        error = error or self._now()
        return self._drop(pending, error) if self.mode == "drop" else self._hold(pending, error)

    def _now(self) -> AuditError:
        """An error that stood in the way a moment ago, and is not asked for again at each call."""
        return self._way[0](self._way[1], path=self._appender.names.path, errno=self._way[2])

    def _block(self, pending: Pending, error: AuditError) -> list[Receipt]:
        pause = FIRST_PAUSE
        while True:
            left = self._time_left(pending)
            if self._closing or (left is not None and left <= 0):
                raise self._timed_out(pending, error)
            wait = pause * random.uniform(0.5, 1.5)  # noqa: S311 - so that several processes do not try in step
            self._order.wait(wait if left is None else min(left, wait))
            pause = min(2 * pause, LONGEST_PAUSE)
            if self._closing:
                continue
            failed = self._commit(pending)
            if failed is None:
                break
            error = failed
            self._trouble(error)
        self._after_success(pending, error)
        return pending.receipts

    def _time_left(self, pending: Pending) -> float | None:
        """Seconds that an event may wait; None for ever."""
        if self.mode != "block" or self._timeout is None:
            return None
        return pending.began + self._timeout - time.monotonic()

    def _timed_out(self, pending: Pending, error: AuditError) -> AuditError:
        self.arrears.timed_out.add(pending.left, error.message, error.errno, since=pending.since)
        self._background.wake()
        return pending.told(error)

    def _after_success(self, pending: Pending, error: AuditError | None = None) -> None:
        waited = time.monotonic() - pending.began
        if waited > DELAYED_FROM and self.mode == "block":
            why = error or self._now()
            self.arrears.delayed.add(len(pending.bodies), why.message, why.errno, since=pending.since, seconds=waited)
        if self.trouble and len(self._places) == 1:  # nobody waits any more
            self._recover()

    def _drop(self, pending: Pending, error: AuditError) -> list[Receipt]:
        self.arrears.dropped.add(pending.left, error.message, error.errno)
        if pending.attempted:
            self.arrears.doubt = pending
        return pending.dropped()

    def _hold(self, pending: Pending, error: AuditError) -> list[Receipt]:
        try:
            receipts = self.arrears.hold(pending, error)
        except StorageError as lost:
            self._remember(lost)
            raise pending.told(lost) from lost.__cause__
        self.spilled += pending.left
        return receipts

    def _trouble(self, error: AuditError) -> None:
        if not self.trouble:
            what = {
                "block": "appending waits until the log can be written again",
                "drop": "events are dropped, and counted, until the log can be written again",
                "spill": "events are held elsewhere until the log can be written again",
            }[self.mode]
            self._appender.notes.add(f"{what}: {error.message}")
        self._way = type(error), error.message, error.errno
        self.trouble = True
        self._background.wake()

    # -- setting things right

    def _due(self) -> bool:
        return time.monotonic() >= self._next_try

    def _not_before(self, pause: float) -> None:
        self._next_try = time.monotonic() + pause

    def _look(self) -> bool:
        """What the background thread does in one turn; True if another one may follow at once."""
        if self.space is not None:
            self.space.look_again()
        return self.trouble and not self._closing and self._due() and not self._recover() and self._due()

    def _flush(self) -> None:
        self._recover(all_of_it=True)
        self.arrears.sync_held()
        try:
            self._appender.flush()
        except SyncError:
            raise
        except OPERATIONAL as error:
            self._remember(error)
            if not self.arrears.holds:
                raise

    def _recover(self, *, all_of_it: bool = False) -> bool:
        """Brings in what is held, in parts unless `all_of_it`; then tells what there is to tell. True if all is well.

        Whatever stands in the way: what is held stays held, what is to be told stays to be told.
        """
        began = time.monotonic()
        space = self.space
        try:
            if space is not None:
                self.arrears.shedding = space.shed and not self._closing
                refusal = space.refusal()
                if refusal is not None:
                    raise refusal
            while not self.arrears.step():
                if self.arrears.more and not all_of_it and time.monotonic() - began > PART:
                    return False
        except ClosedError:
            raise
        except (AuditError, OSError, ImportError) as error:
            self._remember(error)
            kind = type(error) if isinstance(error, AuditError) else StorageError
            self._way = kind, getattr(error, "message", str(error)), getattr(error, "errno", None)
            took = time.monotonic() - began
            self._not_before(max(TRY_EVERY, min(10 * took, 60 * TRY_EVERY)))
            self._background.wake()
            return False
        # Those who wait are not to be overtaken.
        self.trouble = len(self._places) > 1 or (space is not None and space.restricts)
        self._way = _WAITED
        return True

    def _end(self) -> None:
        with contextlib.suppress(ClosedError):
            self._recover(all_of_it=True)
        self.arrears.end()
        self.trouble = False

    def __del__(self) -> None:
        if self.trouble and not self._closing:
            with contextlib.suppress(Exception):
                self.close()
