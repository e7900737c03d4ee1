"""Who may read, write and rename the files of the log, and whether its owner can do what a writer has to."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator

from jsonl_audit import storage
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place

__all__ = ["attributes", "folders", "owners", "permissions", "user"]

_HERE, _NO_FOLLOW = -100, 0x100  # AT_FDCWD, AT_SYMLINK_NOFOLLOW
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20  # STATX_ATTR_…, of Linux


def permissions(place: Place) -> Iterator[Remark]:
    """The modes of the files."""
    if not hasattr(os, "getuid"):  # Windows: the modes say nothing there
        return
    wanted = place.mode
    excess: dict[int, list[str]] = {}
    for path, found in place.found.items():
        if not stat.S_ISLNK(found.st_mode) and (more := stat.S_IMODE(found.st_mode) & 0o066 & ~wanted):
            excess.setdefault(more, []).append(path)
    for more, paths in sorted(excess.items()):
        writable = bool(more & 0o022)
        yield Remark(
            "permissions",
            "writable-by-others" if writable else "readable-by-others",
            "problem" if writable else "warning",
            f"{_named(paths)} may be {_verbs(more)} others than the owner: mode "
            f"{stat.S_IMODE(place.found[paths[0]].st_mode):04o}, where the log's files have {wanted:04o}",
            "Whoever can write to it can change what was recorded, and needs nothing else to do so."
            if writable
            else "An audit log says who did what; a log that others may read is told so by mode= where it is opened.",
            _changed(place, "chmod", _letters(more), paths),
            path=paths[0],
            facts={"mode": f"{stat.S_IMODE(place.found[paths[0]].st_mode):04o}", "files": len(paths)},
        )
    active = place.active
    if active is not None and stat.S_IMODE(active.st_mode) & 0o600 != 0o600:
        yield Remark(
            "permissions",
            "owner-cannot-write",
            "problem",
            f"the active file may not be read and written by its own owner: mode {stat.S_IMODE(active.st_mode):04o}",
            "The next program that opens the log, unless it is root's, is refused.",
            shell.run("chmod", "u+rw", paths=[place.names.path]),
            path=place.names.path,
        )
    listed = [path for path in place.found if _has_list(path)]
    if listed:
        yield Remark(
            "permissions",
            "access-list",
            "warning",
            f"{_named(listed)} has an access control list beside its mode",
            "Users that the mode does not name may have been let in; getfacl shows whom.",
            _changed(place, "setfacl", "-b", listed),
            path=listed[0],
        )
    if not excess and not listed:
        yield Remark("permissions", "permissions", "ok", f"the log's files are for their owner: mode {wanted:04o}")


def _has_list(path: str) -> bool:
    if sys.platform != "linux":
        return False
    try:
        return "system.posix_acl_access" in os.listxattr(path, follow_symlinks=False)
    except OSError:  # no such thing on this file system
        return False


def _named(paths: list[str]) -> str:
    if len(paths) == 1:
        return os.path.basename(paths[0])
    return f"{os.path.basename(paths[0])} and {len(paths) - 1:,} more of the log's files"


def _verbs(bits: int) -> str:
    said = [word for word, mask in (("read", 0o044), ("written", 0o022)) if bits & mask]
    return " and ".join(said) + " by"


def _letters(bits: int) -> str:
    """What takes these bits away, for chmod.

    >>> _letters(0o044), _letters(0o026)
    ('g-r,o-r', 'g-w,o-rw')
    """
    parts = []
    for who, shift in (("g", 3), ("o", 0)):
        letters = "".join(letter for letter, bit in (("r", 4), ("w", 2)) if bits >> shift & bit)
        if letters:
            parts.append(f"{who}-{letters}")
    return ",".join(parts)


def _changed(place: Place, program: str, what: str, paths: list[str]) -> str:
    """A command over files of the log; where they are many, all of that folder with the names of sealed segments."""
    if len(paths) <= shell.MANY:
        return shell.run(program, what, paths=paths)
    more = [path for path in paths if path not in set(place.sealed)]
    several = f"{shell.segments_of(place.names)} -exec {program} {shell.word(what)} -- {{}} +"
    return several + (f"; {shell.run(program, what, paths=more)}" if more else "")


def attributes(place: Place) -> Iterator[Remark]:
    """The attributes of `chattr`: a sealed segment may be immutable, the active file and its folder may not."""
    flags = {path: _flags(path) for path in (place.names.directory, place.names.path, place.names.lock)}
    for path, has in flags.items():
        for bit, letter, word in ((_IMMUTABLE, "i", "immutable"), (_APPEND_ONLY, "a", "append-only")):
            if has & bit:
                yield Remark(
                    "attributes",
                    word,
                    "problem",
                    f"{os.path.basename(path) or path} is {word} (chattr +{letter})",
                    "Sealing renames the active file and makes the next beside it, which this forbids even to root. "
                    "Sealed segments may be immutable.",
                    shell.run("chattr", f"-{letter}", paths=[path]),
                    path=path,
                )
    keep = place.settings.get("backup_count")
    stuck = [path for path in place.sealed if _flags(path) & (_IMMUTABLE | _APPEND_ONLY)] if keep else []
    if stuck:
        yield Remark(
            "attributes",
            "kept-from-purge",
            "warning",
            f"{_named(stuck)} is immutable or append-only, and the log keeps only {keep} sealed segments",
            "The oldest cannot be removed when their time has come; the log grows on, with a note each time.",
            _changed(place, "chattr", "-ia", stuck),
            path=stuck[0],
        )


def _flags(path: str) -> int:
    """The attributes of a file or folder, which is not opened for it; 0 where there are none."""
    if sys.platform != "linux":
        return 0
    try:
        import ctypes

        answer = ctypes.create_string_buffer(256)  # struct statx: mask, block size, attributes …
        failed = ctypes.CDLL(None).statx(_HERE, os.fsencode(path), _NO_FOLLOW, 0, answer)
    except (ImportError, AttributeError):  # a Python without ctypes, a C library without the call
        return 0
    return 0 if failed else int.from_bytes(answer.raw[8:16], sys.byteorder)


def folders(place: Place) -> Iterator[Remark]:
    """Who may put files into the log's folder, or put another folder in its place."""
    if not hasattr(os, "getuid"):
        return
    found = False
    folder, found_here = place.names.directory, place.folder
    while True:
        own = folder == place.names.directory
        remark = _open_folder(folder, found_here, own=own)
        if remark is not None:
            found = True
            yield remark
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
        try:
            found_here = storage.stat(folder)
        except OSError:  # it may be passed through and not looked at
            break
    writer = place.active or place.folder
    if not _may_write(writer.st_uid, place.folder):
        found = True
        name = user(writer.st_uid)
        yield Remark(
            "folder",
            "folder-not-writable",
            "problem",
            f"the log's owner, {name}, may not make files in {place.names.directory}: it belongs to "
            f"{user(place.folder.st_uid)}, mode {stat.S_IMODE(place.folder.st_mode):04o}",
            "Appending works until the segment is full; then it cannot be sealed, and the file grows for ever.",
            shell.run("chmod", "u+rwx", paths=[place.names.directory])
            if writer.st_uid == place.folder.st_uid
            else shell.run("chown", str(name), paths=[place.names.directory]),
            path=place.names.directory,
        )
    if not found:
        yield Remark("folder", "folder", "ok", f"only {user(place.folder.st_uid)} may make and remove files beside it")


def _open_folder(folder: str, found: os.stat_result, *, own: bool) -> Remark | None:
    mode = stat.S_IMODE(found.st_mode)
    if not mode & 0o022 or (mode & 0o022 == 0o020 and _is_own_group(found)):
        return None
    sticky, anybody = bool(mode & stat.S_ISVTX), bool(mode & 0o002)
    if sticky and not own:
        return None  # in such a folder only its owner may rename what is below it
    who = "anybody" if anybody else f"the group {_group(found.st_gid)}"
    if sticky:
        level, what = "warning", f"{who} may put files beside the log: {folder} is open to all, mode {mode:04o}"
        why = "A file that is there first, such as the next segment's, keeps the log from being sealed."
    else:
        level = "problem" if anybody else "warning"
        what = f"{who} may rename and remove what is in {folder}: mode {mode:04o}"
        why = "Whoever may do that can take the log away or put another in its place, whatever its own mode."
    return Remark(
        "folder", "folder-open", level, what, why,
        shell.run("chmod", "o-w" if not mode & 0o020 else "g-w" if not anybody else "go-w", paths=[folder]),
        path=folder, facts={"mode": f"{mode:04o}"},
    )  # fmt: skip


def _is_own_group(found: os.stat_result) -> bool:
    """Whether the group of a folder is its owner's alone, as each user of many systems has one."""
    with contextlib.suppress(ImportError, KeyError, OSError):
        import grp

        entry = grp.getgrgid(found.st_gid)
        return entry.gr_name == user(found.st_uid) and set(entry.gr_mem) <= {entry.gr_name}
    return False


def _may_write(uid: int, folder: os.stat_result) -> bool:
    """Whether a user may make files in a folder, by its mode. An access control list may say otherwise."""
    if uid == 0:
        return True
    mode = stat.S_IMODE(folder.st_mode)
    if folder.st_uid == uid:
        needed = 0o300
    else:
        needed = 0o030 if folder.st_gid in _groups(uid) else 0o003
    return mode & needed == needed


def _groups(uid: int) -> Iterable[int]:
    try:
        import pwd

        entry = pwd.getpwuid(uid)
        return os.getgrouplist(entry.pw_name, entry.pw_gid)
    except (ImportError, KeyError, OSError):
        return ()


def owners(place: Place) -> Iterator[Remark]:
    """Whose the files are: one user's, the one that writes."""
    if not hasattr(os, "getuid"):
        return
    wanted = _owner(place)
    others = [path for path, found in place.found.items() if found.st_uid != wanted]
    if others:
        yield Remark(
            "owner",
            "several-owners",
            "problem",
            f"{_named(others)} belongs to {user(place.found[others[0]].st_uid)}, the others to {user(wanted)}",
            "A command was run on the log as another user, perhaps root. With mode 0600 the program that writes the "
            "log can then open neither its lock nor the segment.",
            _changed(place, "chown", str(user(wanted)), others),
            path=others[0],
            facts={"files": len(others)},
        )
    if place.unread is not None:
        me = user(os.geteuid())
        yield Remark(
            "owner",
            "not-readable-here",
            "warning",
            f"{me}, who runs this, may not read the log: it belongs to {user(wanted)}",
            "What lies in it was not looked at. Run this as its owner.",
            shell.run("sudo", "-u", str(user(wanted)), "jsonl-audit", "doctor", place.names.path),
            path=place.names.path,
        )
    nameless = isinstance(user(wanted), int)
    if nameless:
        yield Remark(
            "owner",
            "nameless-owner",
            "remark",
            f"the log belongs to user {wanted}, which has no name on this system",
            "The next user that is made may get that number, and the log with it. In a container that is usual.",
            path=place.names.path,
        )
    if not others and not nameless and place.unread is None:
        yield Remark("owner", "owner", "ok", f"all of it belongs to {user(wanted)}")


def _owner(place: Place) -> int:
    """Whose the log is: the folder's owner's, where a segment is; else that of most segments; root last."""
    counts: dict[int, int] = {}
    for path in place.segments or place.found:
        uid = place.found[path].st_uid
        counts[uid] = counts.get(uid, 0) + 1
    folder = place.folder.st_uid
    if folder and folder in counts:
        return folder
    return max(counts, key=lambda uid: (uid != 0, counts[uid]), default=folder)


def user(uid: int) -> str | int:
    """The name of a user; the number where it has none."""
    with contextlib.suppress(ImportError, KeyError, OSError):
        import pwd

        return pwd.getpwuid(uid).pw_name
    return uid


def _group(gid: int) -> str | int:
    with contextlib.suppress(ImportError, KeyError, OSError):
        import grp

        return grp.getgrgid(gid).gr_name
    return gid
