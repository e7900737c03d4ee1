"""Who uses the log now: the writer that holds it, whoever else writes into it, and what reads it along."""

from __future__ import annotations

import os
from collections.abc import Iterator

from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place
from jsonl_audit.doctor.processes import User, comes_with, largest_file, users_of

__all__ = ["usage"]


def usage(place: Place) -> Iterator[Remark]:
    """The processes that have its files open."""
    path, lock = place.names.path, place.names.lock
    found = users_of({each: place.found[each] for each in (path, lock) if each in place.found})
    writers, holders = found.get(path, []), found.get(lock, [])
    said = [
        *_strangers(place, writers, holders),
        *_preloaded(place, holders),
        *_limited(place, holders),
        *_alone(place, holders),
    ]
    yield from said
    if not said:
        yield Remark("usage", "usage", "ok", _in_words(place, writers, holders))


def _in_words(place: Place, active: list[User], holders: list[User]) -> str:
    readers = sorted({f"{user.name} ({user.pid})" for user in active if not user.writes})
    also = f"; read by {', '.join(readers)}" if readers else ""
    if place.held:
        who = f"{place.holder.get('program', 'a program')}, pid {place.holder.get('pid', 'unknown')}"
        return f"held by {who}, on {place.holder.get('host', 'this machine')}{also}"
    if holders:
        return f"open in {len({user.pid for user in holders})} processes that share it{also}"
    return f"nobody writes to it now{also}"


def _strangers(place: Place, active: list[User], holders: list[User]) -> Iterator[Remark]:
    """A writer of ours has the lock file open as well; whoever has not keeps to no rule."""
    known = {user.pid for user in holders}
    strangers = {user.pid: user for user in active if user.writes and user.pid not in known}
    if strangers:
        some = ", ".join(f"{user.name} (pid {user.pid})" for user in strangers.values())
        yield Remark(
            "usage",
            "written-by-a-stranger",
            "problem",
            f"{place.name} is open for writing in {some}, without the log's lock",
            "What it writes goes into the middle of the chain; verification cannot tell that from a forgery. "
            "End it, or let it write to another file.",
            shell.run("kill", *map(str, strangers)),
            path=place.names.path,
            facts={"pids": sorted(strangers)},
        )


def _preloaded(place: Place, holders: list[User]) -> Iterator[Remark]:
    for user in {user.pid: user for user in holders if comes_with(user.pid, "eatmydata")}.values():
        yield Remark(
            "usage",
            "syncs-swallowed",
            "problem",
            f"{user.name} (pid {user.pid}), which writes the log, runs under libeatmydata",
            "That library makes each sync do nothing: what is acknowledged is not on the disk. Start it without.",
            "unset LD_PRELOAD",
            path=place.names.path,
            facts={"pids": [user.pid]},
        )


def _limited(place: Place, holders: list[User]) -> Iterator[Remark]:
    wanted = place.segment_size
    for user in {user.pid: user for user in holders if user.writes}.values():
        limit = largest_file(user.pid)
        if limit is not None and (wanted is None or limit < wanted + 2**20):
            yield Remark(
                "usage",
                "file-size-limited",
                "problem",
                f"{user.name} (pid {user.pid}), which writes the log, may write no file above {limit:,} bytes (ulimit "
                "-f)",
                "The segment grows past that before it is sealed; the write then fails, or the process is killed.",
                shell.run("prlimit", "--pid", str(user.pid), "--fsize=unlimited"),
                path=place.names.path,
                facts={"pid": user.pid, "limit": limit, "max_bytes": wanted},
            )


def _alone(place: Place, holders: list[User]) -> Iterator[Remark]:
    """A log that is shared with nobody. Only who sees every process can tell."""
    pids = {user.pid for user in holders if user.writes}
    sees_all = hasattr(os, "geteuid") and os.geteuid() == 0
    if sees_all and len(pids) == 1 and place.holder.get("shared") is True and [place.holder.get("pid")] == [*pids]:
        name = next(user.name for user in holders)
        yield Remark(
            "usage",
            "shared-with-nobody",
            "remark",
            f"{name} opened the log shared, and no other process has it open",
            "Each commit takes the lock anew and looks for others. Alone it would be quicker, and a second writer, "
            "started by mistake, would be refused.",
            setting="shared=False",
            path=place.names.path,
            facts={"pid": place.holder.get("pid")},
        )
