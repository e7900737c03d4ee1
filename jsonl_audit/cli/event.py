"""One event out of the options of `append`: --type, --actor name=value, --detail name=value …"""

from __future__ import annotations

import re
from typing import Any

import click

from jsonl_audit import instants
from jsonl_audit.cli.options import split_value
from jsonl_audit.record import UUID

__all__ = ["event_of"]


def event_of(options: dict[str, Any]) -> dict[str, Any]:
    """The event that the options say. A dotted name makes objects within objects; an --actor, or --target, without
    `=` is its id.

    >>> event_of({"type": "exec.denied", "actor": ("u1", "role=admin"), "detail": ("exit.code:=7",)})
    {'type': 'exec.denied', 'actor': {'id': 'u1', 'role': 'admin'}, 'details': {'exit': {'code': 7}}}
    >>> event_of({"target": ("d-1", "type=device")})
    {'target': {'id': 'd-1', 'type': 'device'}}
    """
    event: dict[str, Any] = {}
    for name in ("type", "outcome", "level", "time", "id"):
        if options.get(name) is not None:
            event[name] = options[name]
    if "time" in event:
        event["time"] = _time(event["time"])
    if "id" in event and UUID.fullmatch(event["id"].lower()) is None:
        raise click.BadParameter(f"{event['id']!r} is no UUID; give other names with --set", param_hint="--id")
    for name in ("actor", "target"):
        for word in options.get(name, ()):
            _put(event, word if "=" in word else f"id={word}", f"--{name}", f"{name}.")
    for word in options.get("detail", ()):
        _put(event, word, "--detail", "details.")
    for word in options.get("set", ()):
        _put(event, word, "--set")
    return event


def _time(text: str) -> Any:
    """--time as an event says it: RFC 3339, or a number of seconds or milliseconds."""
    value: Any = text
    if re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]+)?", text):
        value = float(text) if "." in text else int(text)
    if instants.from_event(value) is None:
        raise click.BadParameter(
            f"{text!r} is no time: RFC 3339 with a zone (2026-11-21T10:11:12Z), or epoch seconds", param_hint="--time"
        )
    return value


def _put(event: dict[str, Any], word: str, option: str, inside: str = "") -> None:
    path, value, _ = split_value(word, option)
    *above, name = (inside + path).split(".")
    at = event
    for step in above:
        at = at.setdefault(step, {})
        if not isinstance(at, dict):
            raise click.BadParameter(f"{step} is a value already and can hold no {name}", param_hint=option)
    if name in at:
        raise click.BadParameter(f"{path} is given twice", param_hint=option)
    at[name] = value
