"""What a configuration says, as values: many write numbers as text, and some arguments cannot be what they say."""

from __future__ import annotations

import codecs
import errno
import os
import stat
from collections.abc import Mapping
from typing import Any

from jsonl_audit import record
from jsonl_audit.errors import NotALogError, StorageError

__all__ = ["check", "check_type", "checked", "path_of", "utf_8_or_none"]

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_WHOLE = frozenset(("max_bytes", "backup_count", "line_limit"))
_SECONDS = frozenset(("sync_interval", "lock_timeout", "error_timeout"))
_SPACE = frozenset(("space_left", "admin_space_left"))
_FLAGS = frozenset(("shared", "delay", "artifacts"))


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with numbers and flags that were given as text understood.

    Raises ValueError where a text is neither.

    >>> checked({"max_bytes": "1000000", "sync_interval": "0.5", "shared": "true", "mode": "0600"})
    {'max_bytes': 1000000, 'sync_interval': 0.5, 'shared': True, 'mode': 384}
    """
    return {name: _value(name, given) for name, given in options.items()}


def _value(name: str, given: Any) -> Any:
    if not isinstance(given, str):
        if name in _FLAGS:
            return bool(given)
        return int(given) if name in _WHOLE and isinstance(given, float) and given.is_integer() else given
    text = given.strip()
    try:
        if name in _WHOLE:
            return int(text.replace("_", ""))
        if name in _SECONDS:
            return float(text)
        if name == "mode":
            return int(text.removeprefix("0o"), 8)
    except ValueError:
        raise ValueError(f"{name} is a number, not {given!r}") from None
    if name in _SPACE and text.isdecimal():
        return int(text)
    if name in _FLAGS and (name, text) != ("artifacts", "zstd"):
        if text.lower() not in _WORDS:
            words = "true, false or zstd" if name == "artifacts" else "true or false"
            raise ValueError(f"{name} is {words}, not {given!r}")
        return _WORDS[text.lower()]
    return given


def utf_8_or_none(encoding: Any) -> None:
    """Raises ValueError for an encoding that a log cannot be written in."""
    if encoding is None:
        return
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, TypeError):
        name = None
    if name != "utf-8":
        raise ValueError(f"an audit log is UTF-8; leave encoding out, or say 'utf-8' instead of {encoding!r}")


def path_of(filename: str | os.PathLike[str]) -> str:
    """The absolute path of a log, whatever directory the process is in later; ``~`` is expanded."""
    return os.path.abspath(os.path.expanduser(os.fspath(filename)))


def check(path: str | os.PathLike[str], kind: str, options: Mapping[str, Any]) -> None:
    """Raises TypeError or ValueError for options that AuditLog would not take, or a type that none of its events may
    have; NotALogError, NewerFormatError, IsADirectoryError for a path where something else stands. Opens no log."""
    import inspect  # only for logs that are opened later: opening looks itself

    from jsonl_audit.intake import check_events
    from jsonl_audit.log import AuditLog
    from jsonl_audit.segment import Names
    from jsonl_audit.writer.recover import check_foreign
    from jsonl_audit.writer.settings import check_policy, check_settings
    from jsonl_audit.writer.space import thresholds

    check_type(kind)
    known = inspect.signature(AuditLog).parameters
    for name in options:
        if name not in known:
            raise TypeError(f"{name!r} is no option of AuditLog")
    values = {name: options.get(name, parameter.default) for name, parameter in known.items()}
    for look in (check_settings, check_policy, check_events, thresholds):
        look(**{name: values[name] for name in inspect.signature(look).parameters})
    names = Names.of(path_of(path))
    try:
        mode = os.stat(names.path).st_mode  # asked once: while a segment is sealed, the name is not there for a moment
    except OSError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), names.path)
    if not stat.S_ISREG(mode):
        raise NotALogError("this is a device, a pipe or a socket, not a log", path=names.path)
    try:
        check_foreign(names)
    except (StorageError, OSError):
        pass  # what cannot be read now may be read when it is opened


def check_type(kind: str) -> None:
    """Raises ValueError for what is no type of a caller's event."""
    if record.TYPE.fullmatch(kind) is None or kind.startswith("audit."):
        raise ValueError(f"type is {kind!r}, which is no type name that a caller may use")
