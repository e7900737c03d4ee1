"""The message of a record of `logging`, and its arguments: made once, whatever code the arguments bring along."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import logging
import operator
import os
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from jsonl_audit import forms
from jsonl_audit.handlers import exceptions

__all__ = ["message_of"]

_SIMPLE = frozenset((str, int, float, bool, type(None)))
_AS_THEY_ARE = (str, bytes, bytearray, int, float, complex, enum.Enum)
_FORMED = (
    datetime.date, datetime.time, decimal.Decimal, uuid.UUID, fractions.Fraction, os.PathLike, Mapping, Sequence,
    AbstractSet, deque,
)  # fmt: skip
"""What has a form of its own on disk: its repr is not asked for."""


def message_of(given: logging.LogRecord, problems: list[str]) -> tuple[str, Any]:
    """The message as text, and the arguments for the record; what goes wrong is told to `problems`.

    >>> message_of(logging.makeLogRecord({"msg": "%d of %s", "args": (1, "two")}), [])
    ('1 of two', [1, 'two'])
    >>> problems = []
    >>> message_of(logging.makeLogRecord({"msg": "%d", "args": ("one",)}), problems), problems
    (('%d', ['one']), ['message: TypeError: %d format: a real number is required, not str'])
    """
    msg: Any = given.__dict__.get("msg")
    args: Any = given.__dict__.get("args")
    if type(given).getMessage is not logging.LogRecord.getMessage:  # a class of the program's own
        try:
            return str.__str__(given.getMessage()), _members(args)
        except Exception as error:  # noqa: BLE001 - a stranger's code
            problems.append(f"message: {forms.shown(error)}")
            return _text(msg, problems), _members(args)
    template = _text(msg, problems)
    if not args:
        return template, None
    try:
        if type(args) is tuple and all(type(one) in _SIMPLE for one in args):
            shown: Any = args
        elif isinstance(args, Mapping):
            shown = _Each(args)
        else:
            known: dict[int, Any] = {}
            shown = tuple(_once(one, known) for one in (args if isinstance(args, tuple) else (args,)))
    except Exception as error:  # noqa: BLE001 - a stranger's mapping
        problems.append(f"args: {forms.shown(error)}")
        return template, forms.shape(args)
    try:
        message = str.__str__(template % shown)
    except Exception as error:  # noqa: BLE001 - wrong arguments, or a stranger's code
        name, why = type(error).__name__, exceptions.text_of(error)[0][:200]
        problems.append(f"message: {name}: {why}")
        message = template
    return message, shown.members() if type(shown) is _Each else _members(shown)


def _text(msg: Any, problems: list[str]) -> str:
    if type(msg) is str:
        return msg
    text, wrong = exceptions.text_of(msg)
    if wrong is not None:
        problems.append(f"message: {wrong}")
    return text


def _members(args: Any) -> Any:
    if isinstance(args, tuple):
        return [one.form() if type(one) is _Once else one for one in args]
    return args


def _once(value: Any, known: dict[int, Any]) -> Any:
    if type(value) in _SIMPLE or isinstance(value, _AS_THEY_ARE):
        return value
    return known.setdefault(id(value), _Once(value))


class _Once:
    """An argument in a message, whose own code runs once for each thing that is asked of it."""

    __slots__ = ("_repr", "_str", "_value")

    def __init__(self, value: Any) -> None:
        self._value = value
        self._repr: str | Exception | None = None
        self._str: str | Exception | None = None

    def __repr__(self) -> str:
        if self._repr is None:
            try:
                self._repr = str.__str__(repr(self._value))
            except Exception as error:  # noqa: BLE001 - it is raised below, each time
                self._repr = error
        if isinstance(self._repr, Exception):
            raise self._repr
        return self._repr

    def __str__(self) -> str:
        if self._str is None:
            plain: Any = object.__str__
            if type(self._value).__str__ is plain:
                return repr(self)
            try:
                self._str = str.__str__(str(self._value))
            except Exception as error:  # noqa: BLE001 - it is raised below, each time
                self._str = error
        if isinstance(self._str, Exception):
            raise self._str
        return self._str

    def __int__(self) -> int:
        return int(self._value)

    def __float__(self) -> float:
        return float(self._value)

    def __index__(self) -> int:
        return operator.index(self._value)

    def form(self) -> Any:
        """What stands for it under `args`: itself, where that has a form without its repr."""
        value = self._value
        if isinstance(value, _FORMED) or dataclasses.is_dataclass(value) or hasattr(type(value), "_fields"):
            return value
        try:
            told = repr(self)
        except Exception as error:  # noqa: BLE001 - a stranger's code
            told = f"<{exceptions.name_of(value)} whose repr raises {type(error).__name__}>"
        return {"$repr": told, "class": exceptions.name_of(value)}


class _Each:
    """A mapping of arguments, each of which runs its code once."""

    def __init__(self, args: Mapping[Any, Any]) -> None:
        self._args = args
        self._asked: dict[Any, Any] = {}
        self._known: dict[int, Any] = {}

    def __getitem__(self, name: Any) -> Any:
        if name not in self._asked:
            self._asked[name] = _once(self._args[name], self._known)
        return self._asked[name]

    def members(self) -> Any:
        """What stands for them under `args`."""
        try:
            return {
                name: one.form() if type(one := self._asked.get(name, value)) is _Once else one
                for name, value in self._args.items()
            }
        except Exception:  # noqa: BLE001 - a stranger's mapping
            return forms.shape(self._args)
