"""What the log lies on: whether it stays, whether locks and syncs mean there what they say, and how it is mounted."""

from __future__ import annotations

import os
from collections.abc import Iterator

from jsonl_audit import storage
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.mounts import PLAIN, Mount, is_below, mount_of
from jsonl_audit.doctor.place import Place

__all__ = ["filesystem"]

HOMES = ("/var/log", "/var/lib", "/srv", "/data", "/mnt")
"""Where a log that lies badly may be moved to, if a disk is there."""
_STOP = " Stop the program that writes it, move it, and give the program the new path."


def filesystem(place: Place) -> Iterator[Remark]:
    """What the folder of the log is mounted from."""
    mount = place.mount
    if mount is None:
        yield Remark("filesystem", "filesystem", "ok", "which file system this is cannot be told here")
        return
    said = [*_kind(place, mount), *_options(mount), *_cleaned(place)]
    yield from said
    if not said:
        yield Remark(
            "filesystem", "filesystem", "ok", f"{mount.type}, on {mount.device}, mounted at {mount.point}",
            facts={"type": mount.type, "device": mount.device, "mounted": mount.point},
        )  # fmt: skip


def _kind(place: Place, mount: Mount) -> Iterator[Remark]:
    where = f"the log lies on {mount.type}, mounted at {mount.point}"
    facts = {"type": mount.type, "mounted": mount.point}
    path = place.names.directory
    if mount.in_memory:
        yield Remark(
            "filesystem", "in-memory", "problem", f"{where}: in memory",
            "A sync does nothing there. With the power, or at the next start, the whole log is gone." + _STOP,
            _moved(place), path=path, facts=facts,
        )  # fmt: skip
    elif mount.layered:
        yield Remark(
            "filesystem", "container-layer", "problem", f"{where}: a container's own layer",
            "It is removed with the container: give it a volume, and keep the log there." + _STOP,
            _moved(place), path=path, facts=facts,
        )  # fmt: skip
    elif mount.remote:
        local = mount.option("local_lock")
        if "nolock" in mount.options or local in ("all", "flock"):
            yield Remark(
                "filesystem", "no-shared-locks", "problem",
                f"{where}, with {'nolock' if 'nolock' in mount.options else f'local_lock={local}'}",
                "Locks there keep processes of this machine apart and not those of others: two writers fork the log."
                + _STOP,
                _moved(place), path=path, facts=facts,
            )  # fmt: skip
        else:
            yield Remark(
                "filesystem", "network", "warning", f"{where}: another machine's, or a program's",
                "Locks and syncs may be promises that nobody keeps, and a share that goes away stops the writer. "
                "Keep the log on a local disk, and ship it." + _STOP,
                _moved(place), path=path, facts=facts,
            )  # fmt: skip
        if "soft" in mount.options:
            yield Remark(
                "filesystem", "soft-mount", "warning", f"{mount.point} is mounted soft",
                "A write that takes too long fails, and may have been done all the same.",
                shell.run("mount", "-o", "remount,hard", mount.point), path=mount.point,
            )  # fmt: skip
    elif mount.type in PLAIN:
        yield Remark(
            "filesystem", "no-permissions", "warning", f"{where}, which knows no owners and no modes",
            "Whoever may read the disk may read and change the log, whatever mode= says." + _STOP,
            _moved(place), path=path, facts=facts,
        )  # fmt: skip


def _options(mount: Mount) -> Iterator[Remark]:
    if "ro" in mount.options:
        yield Remark(
            "filesystem", "read-only", "problem", f"{mount.point} is mounted read-only",
            "Nothing can be appended. Where the system did that itself, after an error of the disk, look at its log "
            "first (dmesg).",
            shell.run("mount", "-o", "remount,rw", mount.point), path=mount.point,
        )  # fmt: skip
    lax = sorted(mount.options & {"nobarrier", "barrier=0", "async,nobarrier"})
    if lax:
        yield Remark(
            "filesystem", "no-barriers", "problem", f"{mount.point} is mounted with {lax[0]}",
            "A sync then returns while the disk still has the records in its cache: a power cut takes what was "
            "acknowledged.",
            shell.run("mount", "-o", "remount,barrier", mount.point), path=mount.point,
        )  # fmt: skip
    if "sync" in mount.options:
        yield Remark(
            "filesystem", "mounted-sync", "remark", f"{mount.point} is mounted sync",
            "Every write waits for the disk, and the sync behind it once more. The engine syncs what has to be.",
            shell.run("mount", "-o", "remount,async", mount.point), path=mount.point,
        )  # fmt: skip


def _cleaned(place: Place) -> Iterator[Remark]:
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run"):  # noqa: S108 - nothing is put there
        if is_below(place.names.directory, folder):
            yield Remark(
                "filesystem", "cleaned-up", "warning", f"the log lies below {folder}",
                "What lies there is temporary: the system removes it when it is old, or at the next start." + _STOP,
                _moved(place), path=place.names.directory,
            )  # fmt: skip
            return


def _moved(place: Place) -> str:
    """What moves the log, with all that belongs to it, to a disk of this machine, where no program holds it."""
    home = _better(place)
    if home is None:
        return ""
    files = [*place.found, *([place.aside] if storage.exists(place.aside) else [])]
    wanted = target = os.path.join(home, os.path.basename(place.names.directory) or "audit")
    number = 1
    while storage.exists(target):  # a log of the same name may lie in it
        number += 1
        target = f"{wanted}-{number}"
    free = shell.run("flock", "-n", paths=[place.names.lock]) + " true"  # a writer would go on where it was
    made = f"{free} && {shell.run('mkdir', '-m', '0700', paths=[target])}"
    if len(files) > shell.MANY:
        found = shell.segments_of(place.names)
        others = [path for path in files if path not in set(place.sealed)]
        each = f"{found} -exec mv -- {{}} {shell.word(target)}/ \\;"
        return f"{made} && {each} && {shell.run('mv', paths=[*others, target + '/'])}"
    return f"{made} && {shell.run('mv', paths=[*files, target + '/'])}"


def _better(place: Place) -> str | None:
    homes = [home for home in (*HOMES, os.path.expanduser("~")) if storage.is_directory(home)]
    homes += [mount.point for mount in place.mounted if mount.lasting and storage.is_directory(mount.point)]
    for home in homes:
        mount = mount_of(os.path.realpath(home), place.mounted)
        if mount is not None and mount.lasting and os.access(home, os.W_OK) and home != "/":
            return home
    return None
