"""What an event goes through on its way to a line: context, model and catalogue, redaction, what is too long for it.

Every way into a log leads through here: one event or many, a handler's, a command's, one that is held in a spill log.
So nothing that is to be kept off the disk depends on which way was taken.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from jsonl_audit import record
from jsonl_audit.context import bound, joined
from jsonl_audit.errors import EventError, EventTooLargeError, InvalidEventError, StorageError
from jsonl_audit.events.model import AuditEvent
from jsonl_audit.events.prepare import prepared
from jsonl_audit.record import Body
from jsonl_audit.redact import redactor_of
from jsonl_audit.references import BEGINS
from jsonl_audit.shorten import shortened

if TYPE_CHECKING:
    from jsonl_audit.artifacts import Store
    from jsonl_audit.redact import Redactor

__all__ = ["Intake", "check_events"]

_TYPES = 10_000  # names of types that are known to hold nothing secret: so many are kept
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds between two tries to store


class Intake:
    """Makes bodies of lines out of what callers give. Threads may share it.

    :param limit: of a line, in bytes.
    :param redactor: None for none.
    :param validate: ``"warn"``, ``"strict"``, or ``"off"``: events are not looked at.
    :param store: where the large values of an event go that is too long for a line.
    :param shortens: whether an event that is too long all the same is cut; else it is refused.
    :param references: where the artifacts lie that events may refer to, also where none are made of events.
    """

    def __init__(
        self,
        limit: int,
        redactor: Redactor | None = None,
        validate: str = "off",
        store: Store | None = None,
        *,
        shortens: bool = False,
        references: Store | None = None,
    ) -> None:
        self.limit = limit
        self.redactor = redactor
        self.store = store
        self.shortens = shortens
        self.references = references
        self._mode = None if validate == "off" else validate
        self._types: set[bytes] = set()  # that the redactor has nothing against
        self._said: set[str] = set()

    def body(self, event: Any, members: Mapping[str, Any] | None = None) -> Body:
        """The body of one event: a mapping, an AuditEvent, or its type and `members`.

        Its line may be longer than the limit where there is a store, or events are cut: :meth:`fitted` is to be asked
        then. Raises EventError.
        """
        whole = False
        if type(event) is not dict or members:
            whole = isinstance(event, AuditEvent)
            event = _members_of(event, members)
        found = bound()
        if found is not None:
            event = joined(event, found)
        if self._mode is not None:
            try:
                event = prepared(event, self._mode, self._say, whole=whole)
            except InvalidEventError as error:
                error.message = self.clean(error.message)  # it names the type
                raise
        redactor = self.redactor
        try:
            body = record.encode(event, self.limit, redactor)
        except EventTooLargeError as error:
            if self.store is None and not self.shortens:
                raise
            body = self._long(event, error.actual)
        if redactor is not None and body.type not in self._types:
            self._look_at_type(body.type)
        return body

    def bodies(self, events: Iterable[Any], then: Callable[[Body], Body] | None = None) -> list[Body]:
        """The bodies of several events, each as `then` makes it. An EventError says which of them it is about."""
        if isinstance(events, str | bytes | Mapping | AuditEvent):
            raise TypeError(f"events is a list of events or another iterable of them, not one {type(events).__name__}")
        made: list[Body] = []
        for event in events:
            try:
                body = self.body(event)
                made.append(body if then is None else then(body))
            except EventError as error:
                error.message = f"event {len(made) + 1}: {error.message}; nothing of it or of the others was written"
                raise
        return made

    def fits(self, body: Body) -> bool:
        """Whether it can be written as it is: its line keeps to the limit, and it refers to nothing."""
        return self._short(body) and BEGINS not in body.members

    def _short(self, body: Body) -> bool:
        return len(body.members) + len(body.type) + record.FRAME <= self.limit

    def fitted(self, body: Body, on_error: str = "raise", timeout: float | None = None) -> Body:
        """The body; where its line would be too long, with its large values in the store: they are on disk then.

        What looks like a reference to an artifact and leads nowhere is one no more.

        :param on_error: what happens where they cannot be stored, as AuditLog says it; where events are spilled or
            dropped, this one is cut, and goes on.
        :param timeout: seconds that ``"block"`` waits; None for ever.

        Raises StorageError where they cannot be stored, EventTooLargeError where the line is too long without them.
        """
        if BEGINS in body.members and self.references is not None:
            try:
                body = body._replace(members=self.references.vouched(body.members))
            except StorageError:  # who reads it finds out
                if on_error == "raise":
                    raise
        if self._short(body):
            return body
        if self.store is None:
            return self.cut(body)
        until = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while True:
            try:
                return self._stored(body, self.store)
            except StorageError as error:
                if on_error == "raise" or (until is not None and time.monotonic() >= until and on_error == "block"):
                    raise
                if on_error != "block":
                    self._say(f"large values of an event could not be put into artifacts, so they were cut: {error}")
                    return self.cut(body)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _stored(self, body: Body, store: Store) -> Body:
        frame = record.FRAME + len(body.type)
        members = store.fit(_loaded(body), self.limit, lambda made: len(orjson.dumps(made)) + frame)
        made = body._replace(members=b"," + orjson.dumps(members)[1:-1])
        if self._short(made):
            return made
        if self.shortens:
            return self.cut(made)
        raise EventTooLargeError(
            f"the event has so many members that its line is too long even with its large values in artifacts: "
            f"{len(made.members)} bytes, the limit is {self.limit}; give it less, or raise line_limit",
            expected=self.limit,
            actual=len(made.members),
        )

    def cut(self, body: Body) -> Body:
        """The body, cut to the limit, with length and hash of what was left out."""
        event = shortened({"type": body.type.decode(), **_loaded(body)}, self.limit)
        return record.encode(event, self.limit)._replace(id=body.id, time=body.time)

    def clean(self, text: str) -> str:
        """A text that goes into a record of the engine's own."""
        return text if self.redactor is None else self.redactor.text(text, {})

    def _long(self, event: Mapping[str, Any], length: int | None) -> Body:
        """An event that is too long for a line, encoded all the same; one that never ends, cut before.

        `length` is that of its line, as far as it is known: of what is all there and goes into a store, any will do.
        """
        limit = record.HARD_LIMIT
        if length is not None and self.store is not None:
            limit = max(limit, length)
        try:
            return record.encode(event, limit, self.redactor)
        except EventTooLargeError:
            if not self.shortens:
                raise
        return record.encode(shortened(event, record.HARD_LIMIT), record.HARD_LIMIT, self.redactor)

    def _look_at_type(self, kind: bytes) -> None:
        found: dict[str, int] = {}
        assert self.redactor is not None
        self.redactor.text(kind.decode(), found)
        if found:
            raise EventError(
                f"the type holds what looks like a secret ({', '.join(found)}), and would stand in the log as it is; "
                "name the type otherwise"
            )
        if len(self._types) >= _TYPES:
            self._types.clear()
        self._types.add(kind)

    def _say(self, problem: str) -> None:
        """Once for each problem."""
        if problem in self._said or len(self._said) >= _TYPES:
            return
        self._said.add(problem)
        logging.getLogger("jsonl_audit").warning("%s", problem)


def _members_of(event: Any, members: Mapping[str, Any] | None) -> dict[Any, Any]:
    if isinstance(event, AuditEvent):
        event = event.to_dict()
    elif isinstance(event, str):
        if members and "type" in members:
            raise EventError("the type is given twice: as the event and as a member")
        event = {"type": event}
    elif not isinstance(event, Mapping):
        raise EventError(
            f"an event is a mapping, an AuditEvent or a type name, not {type(event).__name__}",
            actual=type(event).__name__,
        )
    own = record.members_of(event)
    return {**own, **members} if members else own


def _loaded(body: Body) -> dict[str, Any]:
    members: dict[str, Any] = orjson.loads(b"{%b}" % body.members[1:])
    return members



def check_events(redact: Any, validate: Any, artifacts: Any) -> Redactor | None:
    """The redactor that a log is to have. Raises ValueError for settings that make no sense."""
    if validate not in ("warn", "strict", "off"):
        raise ValueError(f"validate is 'warn', 'strict' or 'off', not {validate!r}")
    if type(artifacts) is not bool and artifacts != "zstd":
        raise ValueError(f"artifacts is True, False or 'zstd', not {artifacts!r}")
    return redactor_of(redact)
