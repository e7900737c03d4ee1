"""The ways of reading that users call: those of `reader` and `verifier`, and a record of each."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from jsonl_audit import reader
from jsonl_audit.accessed import recorder
from jsonl_audit.reader import notices

__all__ = ["follow", "follow_lines", "get", "get_line", "query", "query_lines", "tail", "tail_lines"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_HOW = frozenset(("on_damage", "block", "poll", "stop", "progress", "workers"))
"""What says how something is read, not what."""


def _as(function: Callable[..., Any], wrapper: Callable[..., Any]) -> Any:
    """The wrapper in the function's clothes, under a name by which it can be sent to another process."""
    made: Any = functools.update_wrapper(wrapper, function)
    made.__module__ = __name__
    return made


def _what(options: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What was asked for, without what is so by default."""
    given = {name: value for name, value in options.items() if name not in _HOW and value not in (None, 0, False)}
    return {**more, **given}


def _stream(operation: str, function: _Function) -> _Function:
    def reading(path: str | os.PathLike[str], *more: Any, **options: Any) -> Any:
        found = function(path, *more, **options)
        return recorder.counted(found, path, operation, _what(options), options.get("on_damage") or notices.warn)

    return cast(_Function, _as(function, reading))


def _list(operation: str, function: _Function) -> _Function:
    def reading(path: str | os.PathLike[str], n: int = 10, **options: Any) -> Any:
        found = function(path, n, **options)
        recorder.record(path, operation, _what(options, n=n), len(found), options.get("on_damage") or notices.warn)
        return found

    return cast(_Function, _as(function, reading))


def _one(operation: str, function: _Function) -> _Function:
    def reading(path: str | os.PathLike[str], which: Any, **options: Any) -> Any:
        found = function(path, which, **options)
        what, tell = _what(options, which=which), options.get("on_damage") or notices.warn
        recorder.record(path, operation, what, int(found is not None), tell)
        return found

    return cast(_Function, _as(function, reading))


query = _stream("query", reader.query)
query_lines = _stream("query", reader.query_lines)
follow = _stream("follow", reader.follow)
follow_lines = _stream("follow", reader.follow_lines)
tail = _list("tail", reader.tail)
tail_lines = _list("tail", reader.tail_lines)
get = _one("get", reader.get)
get_line = _one("get", reader.get_line)
