"""AuditEvent: one event with every field that an audit trail asks for, frozen; and whatever spelling it came in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonl_audit.events import reading
from jsonl_audit.events.parties import Actor, Members, Target
from jsonl_audit.events.reading import LEVELS, OUTCOMES

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

__all__ = ["LEVELS", "OUTCOMES", "Actor", "AuditEvent", "Target"]


@dataclass(frozen=True, slots=True, repr=False)
class AuditEvent(Members):
    """One event, with every field that an audit trail asks for. Frozen; what is not known is None.

    Everything but `type` is optional. `category` and `action` are the first and the last part of the type, unless they
    are given. What stands in `details` under the name of a field (task, session, correlation, component, tool, outcome,
    level) is that field too. `extra` holds members that have no field here.

    As a mapping it is what is written. :meth:`of` understands every spelling that the filters know.

    :param actor: an :class:`Actor`, a mapping, or a text, its id; `target` likewise.
    :param time: when it happened: RFC 3339, a datetime, or an epoch number.
    :param outcome: ``success``, ``failure``, ``denied``, ``error``, ``unknown``, or another word; True and False are
        success and failure.
    :param artifacts: references to what is kept outside the log, mappings.
    :param schema: the version of its type that it is of.

    Raises :class:`~jsonl_audit.InvalidEventError` for a type that is none, and for values of the wrong kind.

    >>> event = AuditEvent("exec.denied", actor="u1", outcome="denied", details={"tool": "bash"})
    >>> event.category, event.action, event.actor.id, event.tool
    ('exec', 'denied', 'u1', 'bash')
    >>> event.to_dict()
    {'type': 'exec.denied', 'actor': {'id': 'u1'}, 'outcome': 'denied', 'details': {'tool': 'bash'}}
    """

    type: str = field()
    _: dataclasses.KW_ONLY
    id: str | None = None
    time: str | None = None
    category: str | None = None
    action: str | None = None
    level: str | None = None
    component: str | int | None = None
    tool: str | int | None = None
    actor: Actor | None = None
    target: Target | None = None
    outcome: str | None = None
    reason: str | None = None
    task: str | int | None = None
    session: str | int | None = None
    correlation: str | int | None = None
    parent: str | int | None = None
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)
    artifacts: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    schema: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    _follows: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)
    """Fields that were not given: they follow from the type or the details, and are not written."""

    if TYPE_CHECKING:  # what may be given; the fields say what is made of it

        def __init__(
            self,
            type: str,  # noqa: A002 - the event's word
            *,
            id: str | UUID | None = None,  # noqa: A002 - the event's word
            time: str | float | datetime | None = None,
            category: str | None = None,
            action: str | None = None,
            level: str | None = None,
            component: str | int | None = None,
            tool: str | int | None = None,
            actor: Actor | Mapping[str, Any] | str | int | UUID | None = None,
            target: Target | Mapping[str, Any] | str | int | UUID | None = None,
            outcome: str | bool | None = None,
            reason: str | None = None,
            task: str | int | UUID | None = None,
            session: str | int | UUID | None = None,
            correlation: str | int | UUID | None = None,
            parent: str | int | UUID | None = None,
            details: Mapping[str, Any] = ...,
            artifacts: Iterable[Mapping[str, Any]] = ...,
            schema: int | None = None,
            extra: Mapping[str, Any] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        reading.settle(self)

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> AuditEvent:
        """The event that a mapping is, in whatever spelling: an event of yours, or a record that was read.

        A record of an older version of its type is upgraded. Nothing is lost: what has no field here, or is not
        understood, stays in `extra` under its own name, the engine's members (seq, prev, hash …) too.

        Raises :class:`~jsonl_audit.InvalidEventError` for what is no mapping, or has a type that is none.

        >>> event = AuditEvent.of({"type": "exec.denied", "userId": "u1", "taskId": "t1", "success": False, "x": 1})
        >>> event.actor.user, event.task, event.outcome, event.extra
        ('u1', 't1', 'failure', {'x': 1})
        """
        return event if isinstance(event, AuditEvent) else cls(**reading.fields_of(event))

    @property
    def severity(self) -> str | None:
        """Another name of `level`."""
        return self.level

    @property
    def initiator(self) -> Actor | None:
        """Another name of `actor`."""
        return self.actor

    @property
    def timestamp(self) -> str | None:
        """Another name of `time`."""
        return self.time

    def to_dict(self) -> dict[str, Any]:
        """The event as a plain dict: the members that are set, as :meth:`jsonl_audit.AuditLog.append` writes them."""
        return reading.members_of(self)

    def replace(self, **changes: Any) -> AuditEvent:
        """A copy with these fields changed; what follows from the type or the details follows from the new ones.

        >>> AuditEvent("exec.denied", task="t1").replace(type="rbac.checked").action
        'checked'
        """
        return dataclasses.replace(self, **{**dict.fromkeys(self._follows), **changes})
