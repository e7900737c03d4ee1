"""What happens to an event on its way into the log: its type is looked up, what is missing is added, the rest checked.

The hot path: an event of a free type costs one look into a dict, and comes back as it is.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jsonl_audit import record
from jsonl_audit.errors import InvalidEventError
from jsonl_audit.events import registry
from jsonl_audit.events.details import QUICK, fits, kind_of
from jsonl_audit.events.hashed import without_texts
from jsonl_audit.events.kinds import EventType
from jsonl_audit.events.parties import Actor, Target, identifier
from jsonl_audit.events.reading import ANY_LEVEL, LEVELS, OUTCOMES, is_level
from jsonl_audit.events.upgrades import has, has_actor, outcome_of
from jsonl_audit.forms import shown
from jsonl_audit.process import this_process
from jsonl_audit.spelling import ACTING, FIELDS, FILTERED, twins

__all__ = ["IDENTIFIERS", "MODES", "check", "elsewhere", "learn", "prepared", "spellings"]

MODES = ("warn", "strict", "off")
Say = Callable[[str], object]
_Rule = Callable[[dict[Any, Any], bool, Say | None], dict[Any, Any]]
_MISSING_DETAIL = "give it in `details` or at the top level"
_NOT_TOP = record.RESERVED | {"time", "timestamp", "details", "actor", "target", "level", "outcome"}
_TEXT_OR_NUMBER = "a text or a whole number"
_OUTCOMES = frozenset(OUTCOMES)
_OTHERWISE = ACTING.union(*(FIELDS[name].members for name in ("level", "task", "schema"))) - {
    "actor", "level", "task", "schema",
}  # fmt: skip
"""Members of an event that say in another spelling what would be added."""
_IN_DETAILS = frozenset(name for word in ("level", "task", "outcome", "user") for name in FIELDS[word].members)
"""Members of its details that do."""
_FREE = EventType("custom", "An event of a type that nobody registered.")
_OWN = frozenset(("log.record", "unparsed"))
"""Types of what handlers are given to log, and of lines that are no events: free, and never refused for that."""


def prepared(event: dict[Any, Any], mode: str, say: Say, *, whole: bool = False) -> dict[Any, Any]:
    """The event as it goes on: completed and checked, where its type is known.

    Added at the end is what the event says in no spelling: its level, the actor (this process), the task (`unknown`),
    the outcome (what the type or the details say, else `unknown`), and the version of its type as `schema`. What the
    caller wrote keeps its name and its place; what the type records by hash alone becomes its hash.

    :param mode: ``"strict"``: what is wrong or missing is an error, and so is a type that nobody registered.
        ``"warn"``: it is said. ``"off"``: nothing is looked at.
    :param say: called with a sentence for each thing that is wrong; a log says the same sentence once.
    :param whole: an event of a free type is completed too: it came as an AuditEvent.

    Raises :class:`~jsonl_audit.InvalidEventError` in the mode strict.

    >>> event = {"type": "exec.denied", "userId": "u1", "task": "t1"}
    >>> prepared(event, "warn", print)
    {'type': 'exec.denied', 'userId': 'u1', 'task': 't1', 'level': 'warn', 'outcome': 'denied', 'schema': 2}
    >>> prepared({"type": "tool.call", "task": "t1", "actor": "u1", "outcome": "success"}, "warn", print)["schema"]
    tool.call: details.tool is missing, a string is expected; give it in `details` or at the top level
    2
    """
    if mode == "off":
        return event
    given = event.get("type")
    try:
        rule = _rules.get(given)
    except Exception:  # noqa: BLE001 - what cannot be looked up is no type, and refused by whoever writes the line
        rule = None
    if rule is None:
        usual = mode == "warn" and not whole and (type(given) is str or given is None)
        return event if usual else _free(event, mode, say, whole)
    try:
        return rule(event, mode == "strict", say)
    except InvalidEventError:
        raise
    except Exception as error:  # noqa: BLE001 - a value's own code fails, or another thread changes the event
        return _unreadable(event, str(given), mode, say, error)


def _unreadable(event: dict[Any, Any], name: str, mode: str, say: Say, error: Exception) -> dict[Any, Any]:
    """An event that cannot be looked at. It is recorded as far as it goes, unless there may be a text in it that is to
    be recorded by its hash alone."""
    problem = f"{name}: the event cannot be looked at: {shown(error)}"
    kind = registry.get(name)
    if mode == "strict" or kind is None or kind.hashed:
        raise InvalidEventError(problem, type=name, expected="an event that can be read") from error
    say(f"{problem}; it is recorded as it is")
    return event


def _free(event: dict[Any, Any], mode: str, say: Say, whole: bool) -> dict[Any, Any]:
    """An event whose type is not known, or given as something else than a text."""
    given = event.get("type")
    name = identifier(given) if isinstance(given, enum.Enum) else given
    if name is not given and isinstance(name, str):
        return prepared({**event, "type": name}, mode, say, whole=whole)
    if mode == "strict" and not (type(given) is str and given in _OWN):
        if given is None:
            raise InvalidEventError(
                "the event has no type, and the log takes only types that are registered; give one, such as 'custom'",
                field="type", expected="a type", actual=None,
            )  # fmt: skip
        word = name if isinstance(name, str) and record.TYPE.fullmatch(name) else kind_of(given)
        raise InvalidEventError(
            f"type {word!r} is not registered{_near(word)}; register it with events.register(EventType(…)), or "
            "write with validate='warn'",
            type=word, field="type", expected="a registered type", actual=given,
        )  # fmt: skip
    return _completed_free(event, False, say) if whole else event


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(_rules), 1, 0.7)
    return f" (did you mean {near[0]!r}?)" if near else ""


def compiled(kind: EventType) -> _Rule:
    """The rule of a type: what is asked of each event of it, in as few steps as it takes."""
    checks: dict[str, tuple[type | None, Callable[[Any], bool], str]] = {}
    required: list[tuple[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Any], bool], str]]] = []
    for name, detail in kind.details.items():
        fit, expected, spelled = fits(detail), detail.expected, spellings(name)
        for each in spelled:
            if detail.kind != "any" and (each == name or each not in kind.details):
                checks[each] = (None if detail.words else QUICK.get(detail.kind), fit, expected)
        if name in kind.required:
            required.append((name, (spelled[1:], elsewhere(name), fit, expected)))
    hashed = frozenset(name for each in kind.hashed for name in each.of)
    hashed_above = hashed | {"metadata"}
    type_name, usual_level, version, needs = kind.name, kind.level, kind.version, kind.needs

    def rule(event: dict[Any, Any], strict: bool, say: Say | None) -> dict[Any, Any]:
        details = event.get("details")
        if type(details) is not dict:
            details, event = _other_details(event, partial(_wrong, type_name, strict, say))
        if hashed and not (hashed.isdisjoint(details) and hashed_above.isdisjoint(event)):
            event, details = _hashed(kind, event, details)
        for name, value in list(details.items()):  # another thread may change them
            if name in checks and value is not None:
                quick, fit, expected = checks[name]
                if type(value) is not quick and not fit(value):
                    _wrong(type_name, strict, say, f"details.{name}", expected, value, "correct it")
        for name, rest in required:
            if details.get(name) is None:
                _look_elsewhere(event, details, name, *rest, partial(_wrong, type_name, strict, say))
        for name in needs:
            if (strict or say is not None) and not has(name, event):
                _wrong(type_name, strict, say, name, _TEXT_OR_NUMBER, None, f"say which {name} it is about")
        get = event.get
        level, actor, target, task, outcome, schema = (
            get("level"), get("actor"), get("target"), get("task"), get("outcome"), get("schema")
        )  # fmt: skip
        other = not (_OTHERWISE.isdisjoint(event) and _IN_DETAILS.isdisjoint(details))
        added: dict[str, Any] = {}
        if other:
            if (initiator := get("initiator")) is not None:
                _party("initiator", initiator, Actor, added, partial(_wrong, type_name, strict, say))
            if (severity := get("severity")) is not None and not is_level(severity):
                _wrong(type_name, strict, say, "severity", _or(LEVELS), severity, "choose the nearest")
        if level is None:
            if not other or not has("level", event):
                added["level"] = usual_level
        elif (type(level) is not str or level not in ANY_LEVEL) and not is_level(level):
            _wrong(type_name, strict, say, "level", _or(LEVELS), level, "choose the nearest")
        if actor is None:
            if not other or not has_actor(event):
                _wrong(type_name, strict, say, "actor", "a text or an object", None, "")
                added["actor"] = {**this_process()}
        elif type(actor) is not str:
            _party("actor", actor, Actor, added, partial(_wrong, type_name, strict, say))
        if target is not None and type(target) is not str:
            _party("target", target, Target, added, partial(_wrong, type_name, strict, say))
        if task is None and (not other or not has("task", event)):
            _wrong(type_name, strict, say, "task", _TEXT_OR_NUMBER, None, "")
            added["task"] = "unknown"
        if outcome is None:
            if not other or not has("outcome", event):
                outcome = outcome_of(event, kind.outcome)
                if outcome is None:
                    _wrong(type_name, strict, say, "outcome", _or(OUTCOMES), None, "")
                added["outcome"] = outcome or "unknown"
        elif (type(outcome) is not str or outcome not in _OUTCOMES) and identifier(outcome) not in _OUTCOMES:
            advice = "choose the nearest, and put your own word into `reason`"
            _wrong(type_name, strict, say, "outcome", _or(OUTCOMES), outcome, advice)
        if schema is None:
            if not other or not has("schema", event):
                added["schema"] = version
        elif (type(schema) is not int or not 1 <= schema <= version) and not _is_version(schema, version):
            advice = "leave it out, or use a later version of the program"
            _wrong(type_name, strict, say, "schema", f"a version from 1 to {version}", schema, advice)
        return {**event, **added} if added else event

    return rule


def _hashed(kind: EventType, event: dict[Any, Any], details: dict[Any, Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The event and its details, with hashes in place of the texts that the type does not record."""
    event = without_texts(kind, event)
    for name in ("details", "metadata"):
        there = event.get(name)
        if type(there) is dict and (made := without_texts(kind, there)) is not there:
            event = {**event, name: made}
            details = made if there is details else details
    return event, details


def _is_version(value: Any, newest: int) -> bool:
    found = identifier(value)
    return isinstance(found, int) and 1 <= found <= newest


def _look_elsewhere(
    event: dict[Any, Any],
    details: dict[Any, Any],
    name: str,
    others: tuple[str, ...],
    top: tuple[str, ...],
    fit: Callable[[Any], bool],
    expected: str,
    wrong: Callable[..., None],
) -> None:
    """Looks for a detail that is required in its other spellings, and at the top level of the event."""
    if any(details.get(each) is not None for each in others):
        return
    found = [each for each in top if event.get(each) is not None]
    if not found:
        wrong(f"details.{name}", expected, None, _MISSING_DETAIL)
    elif not any(fit(event[each]) for each in found):
        wrong(found[0], expected, event[found[0]], "correct it")


def check(kind: EventType, event: dict[str, Any]) -> None:
    """Raises InvalidEventError where something in an event is wrong; what appending would add may be missing."""
    (_rules.get(kind.name) or compiled(kind))(event, False, None)


def _completed_free(event: dict[Any, Any], strict: bool, say: Say) -> dict[Any, Any]:
    return compiled(_FREE)(event, strict, say)


def _party(name: str, value: Any, cls: Any, added: dict[str, Any], wrong: Callable[..., None]) -> None:
    """Who acted, or what was acted on: a text, or an object whose identifiers are texts or whole numbers."""
    if isinstance(value, cls):
        added[name] = value.to_dict()
        return
    members = _members(value)
    if members is None:
        if identifier(value) is None:
            wrong(name, "a text or an object", value, "give its id, or an object such as {\"id\": …}")
        return
    for member, each in list(members.items()):
        if type(each) is not str and each is not None and member in IDENTIFIERS and identifier(each) is None:
            wrong(f"{name}.{member}", "a text or a whole number", each, "correct it")


IDENTIFIERS = frozenset(
    spelled
    for name in ("user", "profile", "device", "connection", "agent", "ip", "user_agent", "role")
    for spelled in FIELDS[name].members
) | {"id", "name", "type"}


def _other_details(event: dict[Any, Any], wrong: Callable[..., None]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Details that are missing, go by their other name, are of another kind of mapping, or none at all; and the event
    with them."""
    name = "details" if event.get("details") is not None else "metadata"
    details = event.get(name)
    if type(details) is dict:
        return details, event
    plain = _members(details)
    if plain is not None:
        return plain, {**event, name: plain}
    if details is not None and name == "details":
        wrong("details", "an object", details, "put it into a member of `details`")
    return {}, event


def _members(value: Any) -> dict[Any, Any] | None:
    """The members of what a line holds as an object; None for anything else, and for what cannot be read."""
    if type(value) is dict:
        return value
    try:
        if isinstance(value, Mapping):
            return dict(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {each.name: getattr(value, each.name, None) for each in dataclasses.fields(value)}
    except Exception:  # noqa: BLE001 - a mapping whose own code fails
        return None
    return None


@functools.cache
def spellings(name: str) -> tuple[str, ...]:
    """Every spelling of a detail: its twin, and where it is a field that has more, those.

    >>> spellings("trustLevel"), spellings("task_id")
    (('trustLevel', 'trust_level'), ('task_id', 'taskId', 'task'))
    """
    found = [name, *twins(name)]
    for field in FILTERED:
        if name in FIELDS[field].members:
            found += FIELDS[field].members
    return tuple(dict.fromkeys(found))


@functools.cache
def elsewhere(name: str) -> tuple[str, ...]:
    """The spellings of a detail that mean it at the top level of an event, too.

    >>> elsewhere("tool"), elsewhere("id")
    (('tool', 'toolId', 'tool_id', 'toolName', 'tool_name'), ())
    """
    return tuple(each for each in spellings(name) if each not in _NOT_TOP)


def _or(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _wrong(kind: str, strict: bool, say: Say | None, field: str, expected: str, actual: Any, advice: str) -> None:
    """Raises, or says, that something is wrong. The value is not shown: it may be a secret."""
    if actual is None:
        if not advice and not strict:
            return  # who acted and for which task is added where nobody said it
        advice = advice or "give it with the event, or for many by `with context(…)`"
        message = f"{kind}: {field} is missing, {expected} is expected; {advice}"
    else:
        message = f"{kind}: {field} is {kind_of(actual)}, {expected} is expected; {advice}"
        if field in ("level", "outcome") and isinstance(actual, str):
            message = f"{kind}: {field} is none of {expected}; {advice}"
    if strict or say is None:
        raise InvalidEventError(message, type=kind, field=field, expected=expected, actual=actual)
    say(message)


def learn(kind: EventType) -> None:
    """Makes a type known here; its rule is compiled when its first event comes."""

    def first(event: dict[Any, Any], strict: bool, say: Say | None) -> dict[Any, Any]:
        rule = _rules[kind.name] = compiled(kind)
        return rule(event, strict, say)

    _rules[kind.name] = first


_rules: dict[Any, _Rule] = {}
for _kind in registry.catalogue().values():
    learn(_kind)
