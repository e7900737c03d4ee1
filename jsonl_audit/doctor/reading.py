"""Who reads the log is recorded, or cannot be; and what that record says of the last verification."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from jsonl_audit import instants, record, storage
from jsonl_audit.accessed.beside import TYPE, path_beside
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.permissions import user
from jsonl_audit.doctor.place import Place
from jsonl_audit.errors import AuditError
from jsonl_audit.reader import query_lines

__all__ = ["reading"]

_OFTEN = 31
"""Days after which a log is to be verified again: what is found late may be in every backup."""
_GOOD = ("intact", "torn", "incomplete", "empty")


def reading(place: Place) -> Iterator[Remark]:
    """The record of reading."""
    if "accessed" not in place.settings or place.unread is not None:
        return  # of an older version, which recorded nothing
    if place.settings["accessed"] is None:
        yield Remark(
            "reading", "reads-not-recorded", "remark", "who reads the log is not recorded: accessed=None",
            "Who looked is the first question after a leak, and it cannot be answered afterwards.",
            setting='accessed="beside"', path=place.names.path,
        )  # fmt: skip
        return
    said: list[Remark] = []
    try:
        verified = _last(place)
        said += _verified(place, verified)
    except AuditError as error:
        verified = None
        said.append(_broken(path_beside(place.names), error))
    said += _kept_out(place)
    yield from said
    if not said:
        last = f"the last verification was at {verified[0]}" if verified else "nobody has verified it yet"
        yield Remark("reading", "reading", "ok", f"it is recorded ({place.settings['accessed']}); {last}")


def _last(place: Place) -> tuple[str, str] | None:
    """When the log was last verified, and the verdict, as far as it is recorded. Raises AuditError."""
    found = []
    for path in (path_beside(place.names), *([place.names.path] if place.settings["accessed"] == "log" else [])):
        if not storage.exists(path):
            continue
        where: Any = {"details.operation": "verify"}
        lines = query_lines(path, type=TYPE, where=where, reverse=True, control=True, on_damage=lambda _: None)
        for line in lines:
            details = record.decode(line)["details"]
            if place.figures is not None and details.get("log") == place.figures.log:
                filters = details.get("filters")
                verdict = filters.get("verdict") if isinstance(filters, dict) else None
                found.append((record.ts_of(line), str(verdict)))
                break
    return max(found, default=None)


def _verified(place: Place, verified: tuple[str, str] | None) -> Iterator[Remark]:
    now = time.time_ns() // 1000
    if verified is not None and verified[1] not in _GOOD:
        yield Remark(
            "reading", "verified-otherwise", "problem", f"the last verification, at {verified[0]}, said {verified[1]}",
            "Nobody has verified the log since with another result. What is wrong, and where, it says again.",
            shell.run("jsonl-audit", "verify", place.names.path), path=place.names.path,
            facts={"time": verified[0], "verdict": verified[1]},
        )  # fmt: skip
        return
    since = verified[0] if verified is not None else place.figures.first_ts if place.figures is not None else None
    days = (now - instants.micros(since)) / 86_400e6 if since is not None and instants.is_instant(since) else 0.0
    if days > _OFTEN:
        never = f"the log has records since {since}, and nobody has verified it yet, as far as is recorded"
        yield Remark(
            "reading", "not-verified-lately", "remark",
            never if verified is None else f"the log was last verified at {since}",
            "A change that is found late is in every backup by then. A cron job that verifies costs seconds.",
            shell.run("jsonl-audit", "verify", place.names.path), path=place.names.path,
            facts={"days": round(days, 1)},
        )  # fmt: skip


def _broken(path: str, error: AuditError) -> Remark:
    return Remark(
        "reading", "record-of-reads-broken", "warning", f"the record of reading cannot be read: {error}",
        "Reads go on, and are not recorded. Moved away, it begins anew; keep what there is of it.",
        shell.run("mv", "-n", paths=[path, path + ".broken"]), path=path,
    )  # fmt: skip


def _kept_out(place: Place) -> Iterator[Remark]:
    """A record that the log's owner cannot write: somebody else began it."""
    if place.active is None or not hasattr(os, "getuid"):
        return
    path = path_beside(place.names)
    own = []
    for each in (path, path + ".lock"):
        try:
            if storage.lstat(each).st_uid != place.active.st_uid:
                own.append(each)
        except OSError:  # there is none yet
            continue
    if own:
        owner = user(place.active.st_uid)
        yield Remark(
            "reading", "record-of-reads-of-another", "warning",
            f"the record of reading belongs to {user(storage.lstat(own[0]).st_uid)}, the log to {owner}",
            "What the owner reads cannot be recorded in it.", shell.run("chown", str(owner), paths=own), path=path,
        )  # fmt: skip
