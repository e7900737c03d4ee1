"""Records as the newest version of their type says them: what carries an older `schema` is upgraded as it is read.

A record without `schema` costs one look, and comes as it is.
"""

from __future__ import annotations

import os
from typing import Any

from jsonl_audit.reader.notices import Notice, Tell
from jsonl_audit.spelling import FIELDS

__all__ = ["Newest"]

_SCHEMA = frozenset(FIELDS["schema"].members)


class Newest:
    """Upgrades the records of one call, and tells once that some are of a version which is not known here."""

    def __init__(self, path: str | os.PathLike[str], tell: Tell) -> None:
        self._path = os.fspath(path)
        self._tell: Tell | None = tell

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        """The record, upgraded where it carries an older `schema`."""
        if _SCHEMA.isdisjoint(record):
            return record
        from jsonl_audit.events import versions

        if self._tell is not None and (known := versions.newer(record)) is not None:
            tell, self._tell = self._tell, None
            seq, version, kind = record.get("seq"), versions.version_of(record), record["type"]
            message = (
                f"seq {seq} is of version {version} of {kind}, and the newest that is known here is {known}: such "
                "records are given as they are; use a later version of the program"
            )
            tell(Notice("newer-schema", message, self._path))
        return versions.upgraded(record)
