"""Other names for the log's files, and names that lead elsewhere: symlinks, hard links, a file mounted alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from jsonl_audit import storage
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place

__all__ = ["links"]

_APART = 'cp -p -- "$1" "$1.apart" && mv -- "$1.apart" "$1"'
"""Gives a name a file of its own, with the same bytes."""


def links(place: Place) -> Iterator[Remark]:
    """Whether each file of the log is one file, by one name, in the log's folder."""
    said = [*_given(place), *_symlinks(place), *_hard_links(place), *_mounted(place)]
    yield from said
    if not said:
        yield Remark("links", "links", "ok", "each of its files has one name, and is where it is named")


def _given(place: Place) -> Iterator[Remark]:
    here = os.path.join(os.path.realpath(os.path.dirname(place.given)), os.path.basename(place.given))
    if here != place.names.path:
        yield Remark(
            "links",
            "named-by-a-link",
            "remark",
            f"{place.given} is a symlink; the log is {place.names.path}, and its sealed segments lie there",
            "Whatever watches or copies the link's folder sees the active file and never a sealed one: name the log "
            "by its own path.",
            shell.run("jsonl-audit", "doctor", place.names.path),
            path=place.given,
        )


def _symlinks(place: Place) -> Iterator[Remark]:
    for path in (place.names.lock, place.names.next):
        if place.is_link(path):
            yield Remark(
                "links",
                "own-file-a-link",
                "problem",
                f"{os.path.basename(path)} is a symlink",
                "The engine writes over this file, and will not do so through a link that may lead to any file: "
                "opening the log is refused.",
                shell.run("rm", paths=[path]),
                path=path,
            )
    for path in (place.names.path, place.names.lock, place.names.next):
        found = place.found.get(path)
        if found is not None and not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
            yield Remark(
                "links",
                "own-file-no-file",
                "problem",
                f"{os.path.basename(path)} is a {'folder' if stat.S_ISDIR(found.st_mode) else 'pipe or device'}",
                "A file of the log belongs there: opening the log is refused, or sealing it.",
                shell.run("mv", "-n", paths=[path, path + ".not-of-the-log"]),
                path=path,
            )
    for path in place.sealed:
        if place.is_link(path):
            there = storage.exists(os.path.realpath(path))
            yield Remark(
                "links",
                "segment-a-link",
                "warning" if there else "problem",
                f"{os.path.basename(path)} is a symlink to {os.path.realpath(path)}"
                + ("" if there else ", where nothing is"),
                "A copy of the log's folder holds the link and not the records."
                if there
                else "Its records are not here: the log is incomplete.",
                shell.run("cp", "-p", "--remove-destination", paths=[os.path.realpath(path), path]) if there else "",
                path=path,
            )


def _hard_links(place: Place) -> Iterator[Remark]:
    for path, found in place.found.items():
        if not stat.S_ISREG(found.st_mode) or found.st_nlink < 2:
            continue
        active = path not in place.sealed
        others = _other_names(place, path, found)
        elsewhere = found.st_nlink - 1 - len(others)
        where = f", {elsewhere} of them outside this folder" if elsewhere else ""
        yield Remark(
            "links",
            "hard-linked",
            "warning" if active else "remark",
            f"{os.path.basename(path)} has {found.st_nlink} names{where}",
            "The other names, of a backup perhaps, are no copies: they grow and are changed with it."
            if active
            else "A change under one of the other names is a change of the evidence.",
            _apart(place, path, others, elsewhere),
            path=path,
            facts={"names": found.st_nlink},
        )


def _other_names(place: Place, path: str, found: os.stat_result) -> list[str]:
    """Other names of a file in the log's own folder."""
    others = []
    for name in place.listed:
        each = os.path.join(place.names.directory, name)
        if each != path:
            try:
                here = storage.lstat(each)
            except OSError:  # it went meanwhile
                continue
            if (here.st_dev, here.st_ino) == (found.st_dev, found.st_ino):
                others.append(each)
    return others


def _apart(place: Place, path: str, others: list[str], elsewhere: int) -> str:
    """What makes the other names files of their own. The log's own file stays what it is: somebody may be writing."""
    if not elsewhere:
        return "; ".join(f"sh -c {shell.word(_APART)} sh {shell.word(other)}" for other in others)
    point = place.mount.point if place.mount is not None else "/"
    find = f"find {shell.word(point)} -xdev -samefile {shell.word(path)} ! -path {shell.word(shell.literal(path))}"
    return f"{find} -exec sh -c {shell.word(_APART)} sh {{}} \\;"


def _mounted(place: Place) -> Iterator[Remark]:
    for mount in place.mounted:
        if mount.point in place.found:
            name = os.path.basename(mount.point)
            yield Remark(
                "links",
                "mounted-file",
                "problem",
                f"{name} is itself mounted there, as a container's volume of one file is",
                "Such a file cannot be renamed, so the segment is never sealed. Mount the folder instead of the file.",
                shell.run("umount", mount.point),
                path=mount.point,
            )
