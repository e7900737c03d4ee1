"""The steps from one version of a type to the next: pure functions from record to record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonl_audit.spelling import ACTING, FIELDS, twins

if TYPE_CHECKING:
    from jsonl_audit.events.kinds import OutcomeOf

__all__ = ["has", "has_actor", "made_whole", "outcome_of", "outcome_of_success"]


def made_whole(record: dict[str, Any], outcome: str | OutcomeOf | None = None) -> dict[str, Any]:
    """From version 1, which was free, to version 2: who acted, for which task, and how it ended, is said, or `unknown`.

    `outcome` is what the type says of it.

    >>> made_whole({"type": "exec.denied", "userId": "u1", "details": {"success": False}})
    {'type': 'exec.denied', 'userId': 'u1', 'details': {'success': False}, 'task': 'unknown', 'outcome': 'failure'}
    >>> made_whole({"type": "exec.denied", "userId": "u1", "task": "t1"}, "denied")["outcome"]
    'denied'
    """
    added: dict[str, Any] = {}
    if not has_actor(record):
        added["actor"] = "unknown"
    if not has("task", record):
        added["task"] = "unknown"
    if not has("outcome", record):
        added["outcome"] = outcome_of(record, outcome) or "unknown"
    return {**record, **added}


def has(field: str, event: dict[str, Any]) -> bool:
    """Whether an event says something of a field, in any spelling, at the top level or in `details`."""
    members, places, _ = FIELDS[field]
    if any(event.get(name) is not None for name in members):
        return True
    details = _details(event) if "details" in places else None
    return type(details) is dict and any(details.get(name) is not None for name in members)


def has_actor(event: dict[str, Any]) -> bool:
    """Whether an event says who acted, in any spelling.

    >>> has_actor({"deviceId": "d-1"}), has_actor({"details": {"user": "u1"}}), has_actor({"actor": None})
    (True, True, False)
    """
    return (not ACTING.isdisjoint(event) and any(event.get(name) is not None for name in ACTING)) or has("user", event)


def outcome_of(event: dict[str, Any], told: str | OutcomeOf | None) -> str | None:
    """The outcome that follows from what else an event says, or from its type; None where neither tells."""
    if told is not None and not isinstance(told, str):
        details = _details(event)
        for holder in (details if type(details) is dict else {}, event):
            for name in (told.detail, *twins(told.detail)):
                if holder.get(name) is not None:
                    return told(holder[name])
        told = None
    return outcome_of_success(event) or told


def outcome_of_success(event: dict[str, Any]) -> str | None:
    """The outcome that a `success` of true or false means; None where there is none."""
    details = _details(event)
    for holder in (event, details if type(details) is dict else {}):
        if type(holder.get("success")) is bool:
            return "success" if holder["success"] else "failure"
    return None


def _details(event: dict[str, Any]) -> Any:
    """`details`, which some programs call `metadata`."""
    details = event.get("details")
    return event.get("metadata") if details is None else details
