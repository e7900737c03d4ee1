"""An exception, or a stack, as members of an event: type, message, frames, causes; bounded, and never raising."""

from __future__ import annotations

import linecache
import re
from collections import deque
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from jsonl_audit import forms

__all__ = ["described", "exception_of", "name_of", "stack", "text_of"]

FRAMES = 50
"""Of the frames of one exception so many are kept from each end."""
EXCEPTIONS = 50
"""Of the exceptions that hang together (causes, contexts, groups) so many are kept."""
CHAIN = 20
"""So many of them one within the other."""
CODE = 200
"""Characters of a line of code."""

_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+), in (?P<function>.*)')


def text_of(value: Any) -> tuple[str, str | None]:
    """``str(value)``, and what went wrong with it, if anything.

    >>> text_of(ValueError("no"))
    ('no', None)
    """
    try:
        return str.__str__(str(value)), None
    except Exception as error:  # noqa: BLE001 - a stranger's code
        return f"<{name_of(value)} whose str raises {type(error).__name__}>", type(error).__name__


def name_of(value: Any) -> str:
    """Module and name of the class of a value.

    >>> name_of(1j)
    'builtins.complex'
    """
    return ".".join(_name(type(value)))


def exception_of(info: Any) -> Any:
    """The exception that ``exc_info`` means, in any of its forms, or its type where there is no more; None for none."""
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple) and len(info) == 3:
        return info[1] if info[1] is not None else info[0]
    return None


def described(error: Any, trace: TracebackType | None = None) -> dict[str, Any]:
    """The members that tell of an exception, or of a type of exceptions.

    >>> try:
    ...     1 / 0
    ... except ZeroDivisionError as error:
    ...     described(error)["type"], described(error)["message"]
    ('ZeroDivisionError', 'division by zero')
    """
    return _described(error, trace, [EXCEPTIONS], set(), 1)


def _described(
    error: Any, trace: TracebackType | None, left: list[int], seen: set[int], depth: int
) -> dict[str, Any]:
    if not isinstance(error, BaseException):
        module, name = _name(error if isinstance(error, type) else type(error))
        return {"type": name, "module": module}
    module, name = _name(type(error))
    made: dict[str, Any] = {"type": name, "module": module}
    if id(error) in seen:
        return {**made, "omitted": "the same as above"}
    if left[0] <= 0 or depth > CHAIN:
        return {**made, "omitted": "too many"}
    seen.add(id(error))
    left[0] -= 1
    made["message"] = text_of(error)[0]
    notes = getattr(error, "__notes__", None)
    if notes:
        made["notes"] = [text_of(note)[0] for note in notes[:20]] if isinstance(notes, (list, tuple)) else [
            forms.shown(notes)
        ]
    frames = [_frame(frame, line) for frame, line in _ends(_walk_trace(trace or error.__traceback__))]
    if frames:
        made["frames"] = frames
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, tuple) and inner and all(isinstance(one, BaseException) for one in inner):
        made["exceptions"] = [_described(one, None, left, seen, depth + 1) for one in inner[:EXCEPTIONS]]
        if len(inner) > EXCEPTIONS:
            made["exceptions"].append({"omitted": len(inner) - EXCEPTIONS})
    if error.__cause__ is not None:
        made["cause"] = _described(error.__cause__, None, left, seen, depth + 1)
    elif error.__context__ is not None and not error.__suppress_context__:
        made["context"] = _described(error.__context__, None, left, seen, depth + 1)
    return made


def stack(text: str) -> Any:
    """The frames of a stack that the standard library has written as text; the text, where it is another's.

    >>> stack('Stack (most recent call last):\\n  File "a.py", line 3, in main\\n    go()')
    [{'file': 'a.py', 'line': 3, 'function': 'main', 'code': 'go()'}]
    """
    frames: list[dict[str, Any]] = []
    for row in text.splitlines():
        found = _FRAME.fullmatch(row)
        if found is not None:
            frames.append({"file": found["file"], "line": int(found["line"]), "function": found["function"]})
        elif row.startswith("    ") and frames:
            if not row.strip(" ~^"):
                continue  # the marks below the code
            frames[-1].setdefault("code", row.strip()[:CODE])
        elif row != "Stack (most recent call last):":
            return text
    return frames or text


def _ends(frames: Iterator[tuple[FrameType, int]]) -> list[tuple[FrameType | int, int]]:
    """The first and the last of them, and between them how many there are more."""
    first: list[tuple[FrameType | int, int]] = []
    last: deque[tuple[FrameType | int, int]] = deque(maxlen=FRAMES)
    more = 0
    for frame in frames:
        if len(first) < FRAMES:
            first.append(frame)
        else:
            more += len(last) == FRAMES
            last.append(frame)
    return [*first, *([(more, 0)] if more else []), *last]


def _walk_trace(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno or 0
        trace = trace.tb_next


def _frame(frame: FrameType | int, line: int) -> dict[str, Any]:
    if isinstance(frame, int):
        return {"omitted": frame}
    code = frame.f_code
    made: dict[str, Any] = {"file": code.co_filename, "line": line, "function": code.co_name}
    try:
        source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
    except Exception:  # noqa: BLE001 - a loader's own code
        return made
    if source:
        made["code"] = source[:CODE]
    return made


def _name(kind: Any) -> tuple[str, str]:
    try:
        return str.__str__(kind.__module__), str.__str__(kind.__qualname__)
    except Exception:  # noqa: BLE001 - a metaclass with ideas of its own
        return "unknown", "unknown"
