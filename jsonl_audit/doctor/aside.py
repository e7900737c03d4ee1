"""The folder beside the log, for what is not in its lines: whose it is, and what a crash has left in it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator

from jsonl_audit import storage
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.permissions import user
from jsonl_audit.doctor.place import Place

__all__ = ["aside"]

_HALF = "new-"
"""How the name of an artifact begins that is being stored."""
_OLD = 86_400
_LOOKED_AT = 100_000


def aside(place: Place) -> Iterator[Remark]:
    """The folder NAME.EXT.d, and the artifacts in it."""
    folder = place.aside
    try:
        found = storage.lstat(folder)
    except FileNotFoundError:
        return
    name = os.path.basename(folder)
    if not stat.S_ISDIR(found.st_mode):
        what = "a symlink" if stat.S_ISLNK(found.st_mode) else "a file"
        yield Remark(
            "aside", "aside-no-folder", "problem", f"{name} is {what}",
            "The engine keeps artifacts there, in a folder of its own and in no other: what is too large for a line is "
            "refused.", shell.run("mv", "-n", paths=[folder, folder + ".old"]), path=folder,
        )  # fmt: skip
        return
    said = [*_open(place, folder, found), *_halves(os.path.join(folder, "artifacts"))]
    yield from said
    if not said:
        yield Remark("aside", "aside", "ok", f"{name} is for the log's owner alone")


def _open(place: Place, folder: str, found: os.stat_result) -> Iterator[Remark]:
    if not hasattr(os, "getuid"):
        return
    name = os.path.basename(folder)
    more = stat.S_IMODE(found.st_mode) & 0o077 & ~(place.mode | (place.mode & 0o044) >> 2)
    if more:
        yield Remark(
            "aside", "aside-open", "problem" if more & 0o022 else "warning",
            f"others than the owner may look into {name}, or change what is in it: mode "
            f"{stat.S_IMODE(found.st_mode):04o}",
            "What is too large for the log lies there, and is as confidential.",
            shell.run("chmod", "go-rwx", paths=[folder]), path=folder,
        )  # fmt: skip
    active = place.active
    if active is not None and found.st_uid != active.st_uid:
        yield Remark(
            "aside", "aside-of-another", "problem",
            f"{name} belongs to {user(found.st_uid)}, the log to {user(active.st_uid)}",
            "The log's owner cannot store there what is too large for a line, and such events are refused.",
            shell.run("chown", "-R", f"{user(active.st_uid)}", paths=[folder]), path=folder,
        )  # fmt: skip


def _halves(folder: str) -> Iterator[Remark]:
    """Artifacts that were never stored to their end."""
    try:
        names = storage.list_directory(folder)[:_LOOKED_AT]
    except OSError:  # there are none
        return
    old = []
    for name in sorted(names):
        if name.startswith(_HALF):
            path = os.path.join(folder, name)
            try:
                if time.time() - storage.lstat(path).st_mtime > _OLD:
                    old.append(path)
            except OSError:  # it went meanwhile
                continue
    if old:
        yield Remark(
            "aside", "artifacts-unfinished", "remark", f"{len(old):,} artifacts were not stored to their end",
            "A crash left them, and nothing refers to them. The next writer of an artifact removes them, too.",
            shell.run("rm", paths=old) if len(old) <= shell.MANY
            else f"find {shell.word(folder)} -maxdepth 1 -name 'new-*' -mtime +0 -exec rm -- {{}} +",
            path=folder, facts={"files": len(old)},
        )  # fmt: skip
