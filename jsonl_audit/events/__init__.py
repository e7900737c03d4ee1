"""Events: what is in one, which types there are, how they are made, checked, completed and upgraded.

>>> from jsonl_audit import events
>>> event = events.tool_execute(tool="files.write", input={"path": "a.txt"}, duration=12.5, success=True, task="t1")
>>> event.outcome, event.details["tool"], event.level
('success', 'files.write', 'info')

Each type of the catalogue has a function of its name, dots as underscores: `tool.execute` is `events.tool_execute`.
"""

from typing import Any

__all__ = [
    "Actor",
    "AuditEvent",
    "Detail",
    "EventType",
    "Hashed",
    "OutcomeOf",
    "Target",
    "get",
    "hash_of",
    "json_schema",
    "prepared",
    "register",
    "types",
    "upgraded",
]

_HOMES = {
    "Actor": "parties",
    "AuditEvent": "model",
    "Detail": "details",
    "EventType": "kinds",
    "Hashed": "kinds",
    "OutcomeOf": "kinds",
    "Target": "parties",
    "get": "registry",
    "hash_of": "hashed",
    "json_schema": "schema",
    "prepared": "prepare",
    "register": "registry",
    "types": "registry",
    "upgraded": "versions",
}
_MODULES = frozenset((*_HOMES.values(), "catalogue", "constructors", "reading", "upgrades"))


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name.startswith("_") or name in _MODULES:  # a module of this package that is not loaded yet
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    else:
        from jsonl_audit.events.constructors import constructor

        value = constructor(name)
        if value is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}: no type of events has that name")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from jsonl_audit.events.constructors import function_name
    from jsonl_audit.events.registry import types

    return sorted({*__all__, *globals(), *map(function_name, types())})
