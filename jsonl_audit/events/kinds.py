"""EventType: what one type of events is, and that it can be called to make such an event."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonl_audit import record
from jsonl_audit.errors import ReservedTypeError
from jsonl_audit.events.details import Detail, detail_of
from jsonl_audit.events.model import LEVELS, OUTCOMES, AuditEvent
from jsonl_audit.spelling import FIELDS

__all__ = ["RETENTIONS", "EventType", "Hashed", "OutcomeOf", "Upgrade"]

RETENTIONS = ("default", "security", "system")
"""The classes of retention: how long each is kept is a setting of whoever runs the log."""
_MEANT = {
    "needs": f"needs is a tuple of fields: {', '.join(FIELDS)}",
    "hashed": "hashed is a tuple of Hashed(name, (names, …))",
    "upgrades": "upgrades are functions from record to record",
}
Upgrade = Callable[[dict[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class OutcomeOf:
    """Where the outcome stands in a detail: ``OutcomeOf("exit_code", {0: "success"}, "failure")``."""

    detail: str
    words: Mapping[Any, str]
    otherwise: str = "unknown"

    def __call__(self, value: Any) -> str:
        """The outcome that a value of the detail means."""
        try:
            return self.words.get(value, self.otherwise)
        except TypeError:  # a value that no mapping could hold
            return self.otherwise


@dataclass(frozen=True, slots=True)
class Hashed:
    """What is recorded by its hash and its length alone: a `prompt` as `prompt_hash` and `prompt_length`."""

    name: str
    of: tuple[str, ...]
    """The names under which callers may give the text itself: it is never written."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of events: the details that it needs and may have, and what goes without saying of it.

    :param name: letters, digits, ``_ . : -``; its first part is the category, its last the action.
    :param description: one sentence.
    :param level: ``debug``, ``info``, ``warn``, ``error`` or ``critical``; what an event has that does not say.
    :param retention: ``default``, ``security`` or ``system``.
    :param required: details that it needs: names with a :class:`Detail`, a kind (``"string"``), a Python type, or a
        tuple of words. Each may also stand at the top level of an event.
    :param optional: details that it may have, of these kinds; others are free.
    :param outcome: the outcome of every such event; or the detail that it follows from; None if the event must say.
    :param needs: fields of the model that it needs: ``("task",)``.
    :param version: of the type; events carry it as `schema`.
    :param upgrades: ``{1: f}``: `f` makes a record of version 1 one of version 2, and so on up to `version`.
    :param hashed: what is recorded by hash and length alone.

    Calling it makes an event: ``paid = EventType("payment.made", required={"amount": float})``, ``paid(amount=3.5)``.

    Raises ValueError for what makes no sense, ReservedTypeError for a name under ``audit.``.

    >>> paid = EventType("payment.made", "Money went out.", required={"amount": float}, optional={"note": str})
    >>> paid(amount=3.5, task="t1").to_dict()
    {'type': 'payment.made', 'level': 'info', 'task': 't1', 'details': {'amount': 3.5}, 'schema': 1}
    """

    name: str
    description: str = ""
    level: str = "info"
    retention: str = "default"
    required: Mapping[str, Any] = field(default_factory=dict, hash=False)
    optional: Mapping[str, Any] = field(default_factory=dict, hash=False)
    outcome: str | OutcomeOf | None = field(default=None, hash=False)
    needs: tuple[str, ...] = ()
    version: int = 1
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict, hash=False)
    hashed: tuple[Hashed, ...] = ()

    def __post_init__(self) -> None:
        name: Any = self.name
        if not isinstance(name, str) or record.TYPE.fullmatch(name) is None:
            raise ValueError(f"{self.name!r:.60} is no type name: up to 128 letters, digits, '_', '.', ':' and '-'")
        if self.name.startswith("audit."):
            raise ReservedTypeError(f"type {self.name!r}: names under 'audit.' belong to the engine", actual=self.name)
        if self.level not in LEVELS:
            raise ValueError(f"{self.name}: level is one of {', '.join(LEVELS)}, not {self.level!r:.60}")
        if self.retention not in RETENTIONS:
            raise ValueError(f"{self.name}: retention is one of {', '.join(RETENTIONS)}, not {self.retention!r:.60}")
        if type(self.version) is not int or self.version < 1:
            raise ValueError(f"{self.name}: version is a whole number from 1 on, not {self.version!r:.60}")
        missing = sorted(set(range(1, self.version)) - set(self.upgrades))
        if missing or len(self.upgrades) >= self.version:
            raise ValueError(
                f"{self.name}: version {self.version} needs one upgrade for each version before it, "
                f"not {sorted(self.upgrades)}"
            )
        for place in ("required", "optional"):
            object.__setattr__(self, place, {key: detail_of(kind) for key, kind in getattr(self, place).items()})
        self._check_members()
        both = sorted(set(self.required) & set(self.optional))
        if both:
            raise ValueError(f"{self.name}: {both[0]} is both required and optional")

    def _check_members(self) -> None:
        """Raises ValueError for what would only be found out when the first event comes."""
        names: Mapping[Any, Any] = self.details
        odd = [name for name in names if not isinstance(name, str)]
        if odd:
            raise ValueError(f"{self.name}: the name of a detail is a text, not {odd[0]!r:.60}")
        outcome: Any = self.outcome
        words = (*outcome.words.values(), outcome.otherwise) if isinstance(outcome, OutcomeOf) else (outcome,)
        odd = [word for word in words if word is not None and word not in OUTCOMES]
        if odd:
            raise ValueError(f"{self.name}: an outcome is one of {', '.join(OUTCOMES)}, not {odd[0]!r:.60}")
        checks: tuple[tuple[str, Any, Callable[[Any], bool]], ...] = (
            ("needs", self.needs, lambda name: name in FIELDS),
            ("hashed", self.hashed, lambda each: isinstance(each, Hashed) and isinstance(each.of, tuple)),
            ("upgrades", tuple(self.upgrades.values()), callable),
        )
        for what, given, fits in checks:
            if not isinstance(given, tuple) or not all(map(fits, given)):
                raise ValueError(f"{self.name}: {_MEANT[what]}, not {given!r:.60}")

    @property
    def category(self) -> str:
        """The first part of the name."""
        return self.name.partition(".")[0]

    @property
    def action(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    @property
    def details(self) -> dict[str, Detail]:
        """All details that are known of it, those first that it needs."""
        return {**self.required, **self.optional}

    @property
    def __signature__(self) -> inspect.Signature:
        from jsonl_audit.events import constructors

        return constructors.signature_of(self)

    def __call__(self, **members: Any) -> AuditEvent:
        """An event of this type, checked: see :mod:`jsonl_audit.events.constructors` for what may be given.

        Raises :class:`~jsonl_audit.InvalidEventError` for values that do not fit and details that are missing,
        TypeError for names that do not exist.
        """
        from jsonl_audit.events import constructors

        return constructors.made(self, members)
