"""Events that could not be written to the log, and are held in another place until they can be."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator

from jsonl_audit import storage
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.permissions import user
from jsonl_audit.doctor.place import Place
from jsonl_audit.writer.spillplace import SpillPlace

__all__ = ["spilled"]

_OWN = ("max_bytes", "fsync", "sync_interval", "backup_count", "line_limit", "accessed")
"""Settings that opening the log to bring them in does not change."""


def spilled(place: Place) -> Iterator[Remark]:
    """The spill logs of this user, and of the log's owner."""
    folder = SpillPlace(place.names, None).path
    yield from _in(place, folder, [])
    if place.active is not None and hasattr(os, "getuid") and place.active.st_uid != os.getuid():
        owner = place.active.st_uid
        theirs = os.path.join(tempfile.gettempdir(), f"jsonl_audit-{owner}", os.path.basename(folder))
        yield from _in(place, theirs, ["sudo", "-u", str(user(owner))])


def _in(place: Place, folder: str, behind: list[str]) -> Iterator[Remark]:
    try:
        held = [name for name in storage.list_directory(folder) if not name.endswith(".lock")]
    except OSError:  # there is none, or it is another's
        return
    damaged = [name for name in held if name.endswith(".damaged")]
    if len(held) > len(damaged):
        yield Remark(
            "leftovers", "events-held", "warning",
            f"{len(held) - len(damaged)} spill logs in {folder} hold events that are not in the log",
            "They could not be written. The writer that has the log open with on_error='spill' brings them in when it "
            "can."
            if place.held
            else "They could not be written, and are brought in when the log is next opened with on_error='spill'.",
            "" if place.held else shell.run(*behind, sys.executable, "-c", _opening(place)), path=folder,
        )  # fmt: skip
    if damaged:
        kept = place.names.path + ".spilled"
        yield Remark(
            "leftovers", "events-damaged", "warning", f"{len(damaged)} damaged spill logs lie in {folder}",
            "They were put aside, since they do not verify. Look at them by hand, and keep them somewhere safe.",
            f"{shell.run('mkdir', '-p', '-m', '0700', paths=[kept])} && "
            + shell.run("mv", "-n", paths=[*(os.path.join(folder, name) for name in damaged), kept + "/"]),
            path=folder,
        )  # fmt: skip


def _opening(place: Place) -> str:
    """Python that opens the log as it is written, but for what becomes of events that cannot be."""
    own = [f"{name}={place.settings[name]!r}" for name in _OWN if _is_plain(place.settings.get(name, ()))]
    options = ", ".join([repr(place.names.path), "on_error='spill'", f"mode={place.mode | 0o600:#o}", *own])
    return f"import jsonl_audit; jsonl_audit.AuditLog({options}).close()"


def _is_plain(value: object) -> bool:
    return value is None or type(value) in (int, float, str)
