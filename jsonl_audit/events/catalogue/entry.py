"""How an entry of the catalogue is written: kinds of details in one word, versions that all entries share."""

from __future__ import annotations

import functools
from typing import Any

from jsonl_audit.events.details import Detail
from jsonl_audit.events.kinds import EventType
from jsonl_audit.events.upgrades import made_whole

__all__ = ["anything", "entry", "flag", "integer", "number", "obj", "text", "texts", "time", "words"]

VERSION = 2
"""Of every entry. Version 1 is what was written before there was a catalogue: free."""


def entry(name: str, description: str, **more: Any) -> EventType:
    """An entry of the catalogue."""
    upgrade = functools.partial(made_whole, outcome=more.get("outcome"))
    return EventType(name, description, version=VERSION, upgrades={1: upgrade}, **more)


def text(meaning: str, example: str) -> Detail:
    """A string."""
    return Detail("string", meaning, example)


def integer(meaning: str, example: int) -> Detail:
    """A whole number."""
    return Detail("integer", meaning, example)


def number(meaning: str, example: float) -> Detail:
    """A number."""
    return Detail("number", meaning, example)


def flag(meaning: str, example: bool = True) -> Detail:
    """True or false."""
    return Detail("boolean", meaning, example)


def obj(meaning: str, example: dict[str, Any]) -> Detail:
    """An object."""
    return Detail("object", meaning, example)


def texts(meaning: str, example: list[str]) -> Detail:
    """An array of strings."""
    return Detail("strings", meaning, example)


def time(meaning: str, example: str = "2026-11-21T10:11:12Z") -> Detail:
    """A time."""
    return Detail("time", meaning, example)


def words(meaning: str, *these: str) -> Detail:
    """One of these words; the first is the example."""
    return Detail("string", meaning, these[0], these)


def anything(meaning: str, example: Any, kind: str = "any") -> Detail:
    """A value of any kind, or of those that are named."""
    return Detail(kind, meaning, example)
