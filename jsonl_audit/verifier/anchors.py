"""Anchors: what was noted elsewhere of a record, and what the log says of that record now.

An anchor is the seq of a record and its hash. Whoever keeps one where those who can write the log cannot change it can
tell a rewritten log, or one whose end was cut off, from the log that it was.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from jsonl_audit import storage
from jsonl_audit.errors import QueryError, StorageError
from jsonl_audit.segment import parse_header

__all__ = ["Anchor", "parse"]

_WRITTEN = re.compile(r"([0-9]{1,19}):([0-9a-fA-F]{64})")
_FORM = "an anchor is SEQ:HASH, a receipt, or a file of receipts, a report or a manifest"
_LARGEST = 64 << 20


class Anchor(NamedTuple):
    """The hash that the record with a seq had."""

    seq: int
    hash: str
    by: str
    """What it was taken from: ``"expect"``, ``"receipt"``, ``"report"`` or ``"manifest"``."""


def parse(expect: Any) -> list[Anchor]:
    """The anchors that `expect` holds, by seq. One of them, or several; see `verify` for the forms.

    Raises QueryError for what is none, StorageError for a file that cannot be read.

    >>> [anchor.seq for anchor in parse(["2:" + "0" * 64, (1, "f" * 64)])]
    [1, 2]
    """
    single = isinstance(expect, (str, os.PathLike, Mapping, tuple)) or not isinstance(expect, Iterable)
    if isinstance(expect, tuple) and not _is_pair(expect) and not hasattr(expect, "hash"):
        single = False  # a tuple of several
    found = [anchor for one in ([expect] if single else expect) for anchor in _of(one)]
    return sorted(set(found))


def _of(one: Any) -> Iterator[Anchor]:
    if isinstance(one, os.PathLike):
        yield from _of_file(os.fsdecode(one))
    elif isinstance(one, str):
        written = _WRITTEN.fullmatch(one.strip())
        if written is not None:
            yield _anchor(int(written[1]), written[2], "expect", one)
        elif one and "\0" not in one and storage.exists(os.path.expanduser(one)):
            yield from _of_file(one)
        else:
            raise QueryError(f"{one!r} is no anchor, and no file; {_FORM}")
    elif isinstance(one, Mapping):
        yield from _of_members(one)
    elif getattr(one, "recorded", True) is False:
        raise QueryError(f"{one!r} is the receipt of an event that is not in the log: it is no anchor")
    elif hasattr(one, "seq") and hasattr(one, "hash"):
        yield _anchor(one.seq, one.hash, "receipt", one)
    elif hasattr(one, "head") and hasattr(one, "last_seq"):
        if hasattr(one, "files"):
            yield from (_anchor(each.last_seq, each.head, "manifest", one) for each in one.files if each.head)
        elif one.head is not None:
            yield _anchor(one.last_seq, one.head, "report", one)
    elif _is_pair(one):
        yield _anchor(one[0], one[1], "expect", one)
    else:
        raise QueryError(f"{one!r} is no anchor; {_FORM}")


def _is_pair(one: Any) -> bool:
    return isinstance(one, (tuple, list)) and len(one) == 2 and type(one[0]) is int and isinstance(one[1], str)


def _of_members(members: Mapping[str, Any]) -> Iterator[Anchor]:
    """Of a receipt or a record as JSON, of the object that ``verify --json`` prints, of a manifest."""
    if "seq" in members and "hash" in members:
        yield _anchor(members["seq"], members["hash"], "receipt", members)
        return
    files = members.get("files")
    if isinstance(files, list) and "manifest" in members:
        for entry in files:
            if isinstance(entry, Mapping) and entry.get("head"):
                yield _anchor(entry.get("last_seq"), entry["head"], "manifest", entry)
    elif members.get("head") is not None and "last_seq" in members:
        yield _anchor(members["last_seq"], members["head"], "report", members)
    else:
        raise QueryError(f"an object without seq and hash is no anchor; {_FORM}")


def _anchor(seq: Any, own: Any, by: str, given: Any) -> Anchor:
    if type(seq) is int and 0 < seq < 2**63 and isinstance(own, str) and _WRITTEN.fullmatch(f"{seq}:{own}"):
        return Anchor(seq, own.lower(), by)
    raise QueryError(f"{given!r} is no anchor: it has no seq from 1 on with a hash of 64 hex digits")


def _of_file(path: str) -> Iterator[Anchor]:
    path = os.path.expanduser(path)
    try:
        with storage.reading(path) as fd:
            size = storage.size(fd)
            if size > _LARGEST:
                raise QueryError("this is larger than any file of anchors; give SEQ:HASH", path=path)
            text = storage.read(fd, 0, size)
    except OSError as error:
        raise StorageError.of(error, "cannot be read", path) from error
    if parse_header(text[: text.find(b"\n") + 1]) is not None:
        what = "this is a log, which cannot vouch for itself; to compare with a copy, use --against"
        raise QueryError(what, path=path)
    try:
        whole = orjson.loads(text)
        for one in [whole] if isinstance(whole, dict) else whole:
            if isinstance(one, str) and not _WRITTEN.fullmatch(one):  # a file names no other file
                raise QueryError(f"{one!r} is no anchor; {_FORM}", path=path)
            yield from _of(one)
        return
    except orjson.JSONDecodeError:
        pass  # no one object: then each line is one
    except TypeError as error:
        raise QueryError(f"this holds no anchors; {_FORM}", path=path) from error
    found = False
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if not plain:
            continue
        try:
            written = _WRITTEN.fullmatch(plain.decode())
            if written is not None:
                yield _anchor(int(written[1]), written[2], "expect", written[0])
            else:
                yield from _of_members(orjson.loads(plain))
        except (ValueError, AttributeError) as error:
            raise QueryError(f"this line is no anchor; {_FORM}", path=path, line=number) from error
        found = True
    if not found:
        raise QueryError(f"this holds no anchors; {_FORM}", path=path)
