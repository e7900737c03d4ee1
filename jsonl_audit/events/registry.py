"""Which types of events there are: those of the catalogue, and those that a program registers."""

from __future__ import annotations

import fnmatch
import threading

from jsonl_audit.errors import InvalidEventError
from jsonl_audit.events.kinds import EventType

__all__ = ["get", "known", "register", "types"]

known: dict[str, EventType] = {}
"""Every type by its name. It is replaced, never changed: readers need no lock."""
_built_in: frozenset[str] = frozenset()
_lock = threading.Lock()


def register(kind: EventType) -> EventType:
    """Makes a type of your own known: its events are completed and checked from now on. Returns it, to be called.

    A type that is registered again just as it was stays as it is. Raises
    :class:`~jsonl_audit.InvalidEventError` where its name is of the catalogue, or of another type of yours; TypeError
    for what is no :class:`EventType`.

    >>> paid = register(EventType("doc.payment.made", "Money went out.", required={"amount": "number"}))
    >>> paid(amount=3.5).type
    'doc.payment.made'
    """
    global known
    if not isinstance(kind, EventType):
        raise TypeError(f"what is registered is an EventType, not a {type(kind).__name__}")
    catalogue()
    with _lock:
        there = known.get(kind.name)
        if there is not None and there != kind:
            whose = "one of the catalogue" if kind.name in _built_in else "registered already, and another"
            raise InvalidEventError(
                f"type {kind.name!r} is {whose}; choose another name, or another first part: acme.{kind.name}",
                type=kind.name, field="type", actual=kind.name,
            )  # fmt: skip
        if there is None:
            from jsonl_audit.events.prepare import learn

            learn(kind)
            known = {**known, kind.name: kind}
        return there or kind


def types(pattern: str = "*") -> tuple[EventType, ...]:
    """The types that are known, in the order of the catalogue, then of registration.

    :param pattern: of their names; ``*``, ``?`` and ``[…]`` as in file names: ``auth.*``.

    >>> [kind.name for kind in types("auth.connect.*")]
    ['auth.connect.success', 'auth.connect.failure']
    """
    return tuple(kind for name, kind in catalogue().items() if fnmatch.fnmatchcase(name, pattern))


def get(name: str) -> EventType | None:
    """The type of that name; None if there is none.

    >>> get("exec.denied").level
    'warn'
    """
    return catalogue().get(name)


def catalogue() -> dict[str, EventType]:
    """All that is known, the catalogue having been loaded."""
    global known, _built_in
    if not _built_in:
        from jsonl_audit.events.catalogue import CATALOGUE

        with _lock:
            if not _built_in:
                known = {**{kind.name: kind for kind in CATALOGUE}, **known}
                _built_in = frozenset(kind.name for kind in CATALOGUE)
    return known
