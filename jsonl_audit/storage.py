"""The one door to the operating system: open, read, write, sync, rename, lock.

Everything that touches files goes through this module's functions, called as ``storage.write(…)``, so that a test can
put a simulated disk in their place. They raise plain OSError; whoever called knows what was being done and says so.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat as stat_module
import sys
from collections.abc import Iterator

from jsonl_audit.boot import boot_id

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "boot_id",
    "close",
    "duplicate",
    "exists",
    "free_space",
    "is_directory",
    "is_file",
    "let_go",
    "let_others_run",
    "list_directory",
    "lock",
    "lock_again",
    "lstat",
    "make_directory",
    "open_append",
    "open_lock",
    "open_read",
    "overwrite",
    "probe",
    "read",
    "reading",
    "remove_directory",
    "rename",
    "replace",
    "size",
    "stat",
    "sync",
    "sync_above",
    "sync_directory",
    "unlink",
    "unlock",
    "wait_for_lock",
    "write",
]

_WINDOWS = sys.platform == "win32"
_MACOS = sys.platform == "darwin"
_BINARY = getattr(os, "O_BINARY", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
OPEN_FILES_MOVE = not _WINDOWS
"""Whether a file can be renamed while it is open."""
_UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EISDIR)


def open_append(path: str, *, create: bool = False, empty: bool = False, new: bool = False, mode: int = 0o600) -> int:
    """A descriptor whose every write lands at the end of the file; it can be read too, even once the name is gone.

    `create` makes it with exactly `mode`; with `empty` what stood in it is dropped, with `new` nothing may stand there.
    """
    flags = os.O_RDWR | os.O_APPEND | _BINARY | _CLOEXEC | (os.O_TRUNC if empty else 0) | (os.O_EXCL if new else 0)
    if not create:
        return os.open(path, flags)
    return _with_mode(_open_own(path, flags | os.O_CREAT, mode), mode)


def _open_own(path: str, flags: int, mode: int) -> int:
    """Opens a file that the engine may write over: a symlink in its place could lead to any file of its user."""
    try:
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), mode)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        what = "a symlink stands where a file of the engine's own belongs; remove it"
        raise OSError(errno.ELOOP, what, path) from error


def _with_mode(fd: int, mode: int) -> int:
    """The descriptor of a new file, which has exactly `mode` then, whatever the umask."""
    try:
        if not _WINDOWS:
            os.fchmod(fd, mode)
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_read(path: str) -> int:
    """A descriptor for reading a regular file; a device, a pipe or a directory is refused without waiting for it."""
    fd = os.open(path, os.O_RDONLY | _BINARY | _CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    try:
        kind = os.fstat(fd).st_mode
        if stat_module.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat_module.S_ISREG(kind):
            raise OSError(errno.EINVAL, "not a regular file", path)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read(fd: int, offset: int, count: int) -> bytes:
    """Up to `count` bytes from `offset`; fewer only at the end of the file."""
    if _WINDOWS:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, count)
    data = os.pread(fd, count, offset)
    if len(data) in (0, count):
        return data
    parts = [data]  # a short read before the end: signals, network file systems, more than 2 GiB
    got = len(data)
    while got < count and (data := os.pread(fd, count - got, offset + got)):
        parts.append(data)
        got += len(data)
    return b"".join(parts)


def write(fd: int, data: bytes) -> None:
    """All of `data` at the end; a short write is completed. After an error any part of it may stand in the file."""
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])


def overwrite(fd: int, offset: int, data: bytes) -> None:
    """`data` at `offset`: for the mark in the lock file, the only thing that is ever written over."""
    if _WINDOWS:
        os.lseek(fd, offset, os.SEEK_SET)
        os.write(fd, data)
    else:
        done = os.pwrite(fd, data, offset)
        while done < len(data):  # a mark written in part would promise nothing, and nobody would know
            done += os.pwrite(fd, memoryview(data)[done:], offset + done)


def sync(fd: int) -> None:
    """Returns when the file's bytes, and its size, are on the disk itself."""
    if _MACOS and fcntl is not None:
        try:
            fcntl.fcntl(fd, getattr(fcntl, "F_FULLFSYNC", 51))  # fsync alone leaves the drive's cache unwritten
            return
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_directory(path: str) -> None:
    """Returns when the directory's entries are on the disk. Windows has no such call and needs none."""
    if _WINDOWS:
        return
    fd = os.open(path, os.O_RDONLY | _CLOEXEC | getattr(os, "O_DIRECTORY", 0))
    try:
        if _MACOS:
            sync(fd)
        else:
            os.fsync(fd)
    finally:
        os.close(fd)


close = os.close
"""Gives a descriptor back; with the last one of a lock file the lock goes too. Called as it is: where a descriptor is
forgotten just before, an interrupt has no place between the two."""
lstat = os.lstat
"""What the system knows of a path itself, be it a symlink."""


def let_go(fd: int) -> None:
    """`close` where nothing hangs on its answer: the descriptor is gone all the same, what was written is synced."""
    with contextlib.suppress(OSError):
        close(fd)


duplicate = os.dup
"""Another descriptor of the same open file."""
unlink, remove_directory = os.unlink, os.rmdir
"""Removes a name, or an empty directory."""
is_directory, is_file = os.path.isdir, os.path.isfile
"""Whether a directory, or a regular file, stands there."""


def stat(where: int | str) -> os.stat_result:
    """What the system knows of a descriptor or a path (a symlink is followed)."""
    return os.stat(where)


def size(where: int | str) -> int:
    """Length in bytes."""
    return os.stat(where).st_size


def exists(path: str) -> bool:
    """Whether the name is taken, be it by a dangling symlink. Raises OSError where that cannot be told."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def free_space(path: str) -> tuple[int, int]:
    """Bytes that this user may still write on the disk of a directory, and how many the disk has in all."""
    if hasattr(os, "statvfs"):
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    import shutil

    usage = shutil.disk_usage(path)
    return usage.free, usage.total


def list_directory(path: str) -> list[str]:
    """The names in a directory."""
    return os.listdir(path)


def rename(source: str, target: str) -> None:
    """Gives a file a new name that must be free. Under the log's lock nobody else takes it meanwhile."""
    if exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target)


def replace(source: str, target: str) -> None:
    """Gives a file a new name, in place of what stood there."""
    os.replace(source, target)


def make_directory(path: str) -> None:
    """The directory, with every missing one above it, each 0700 whatever the umask and on the disk."""
    missing = []
    while path and not os.path.isdir(path):
        if os.path.lexists(path):
            if os.path.isdir(path):  # made since it was looked for
                break
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        missing.append(path)
        above = os.path.dirname(path)
        if above == path:
            break
        path = above
    for directory in reversed(missing):
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:  # another process was quicker
            continue
        if not _WINDOWS:
            os.chmod(directory, 0o700)
        _sync_name(directory)


def sync_above(path: str) -> None:
    """Returns when the names on the way to `path` are on the disk: whoever made them may have been stopped before."""
    while path != (above := os.path.dirname(path)):
        _sync_name(path)
        path = above


def _sync_name(path: str) -> None:
    try:
        sync_directory(os.path.dirname(path) or ".")
    except OSError as error:  # a directory that may not be read, or has no syncs, keeps nobody from writing below it
        if error.errno not in (*_UNSUPPORTED, errno.EPERM, errno.EROFS):
            raise


def open_lock(path: str, mode: int = 0o600) -> int:
    """A descriptor for the lock file, which is made if it is not there and is never removed."""
    flags = os.O_RDWR | _BINARY | _CLOEXEC
    try:
        return _open_own(path, flags, mode)
    except FileNotFoundError:
        return _with_mode(_open_own(path, flags | os.O_CREAT, mode), mode)


def lock(fd: int) -> bool:
    """Takes the exclusive lock of a lock file; False if somebody else has it.

    The lock belongs to the open file: it goes when the process does, and a forked child that closes its copy leaves
    the parent's alone (unlocking would free both). Raises OSError where the file system has no locks.
    """
    return _portalocker(fd, wait=False)


def lock_again(fd: int) -> bool:
    """`lock`, for a descriptor that has had it before: the way of every commit of a shared log.

    The same lock by the same call, without the layers around it, which cost more than the rest of taking it.
    """
    if fcntl is None:
        return lock(fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def let_others_run() -> None:
    """Gives the processor to whoever waits for it."""
    getattr(os, "sched_yield", bool)()


def wait_for_lock(fd: int) -> None:
    """Returns when the lock is this descriptor's, however long that takes. Raises OSError.

    It imports nothing where it can: it is called in a thread, and whoever waits for it may hold a lock of `logging` or
    of the importing of modules.
    """
    if fcntl is None:
        _portalocker(fd, wait=True)
    else:
        fcntl.flock(fd, fcntl.LOCK_EX)


def unlock(fd: int) -> None:
    """Gives the lock back and keeps the descriptor. Never in a forked child: it would free the parent's."""
    if fcntl is None:
        import portalocker

        portalocker.unlock(fd)
    else:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _portalocker(fd: int, *, wait: bool) -> bool:
    import portalocker

    flags = portalocker.LockFlags.EXCLUSIVE
    try:
        portalocker.lock(fd, flags if wait else flags | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    except portalocker.LockException as error:
        cause = next((part for part in (*error.args, error.__cause__) if isinstance(part, OSError)), None)
        number = (cause.errno if cause else None) or errno.ENOLCK
        raise OSError(number, os.strerror(number)) from error
    return True


def probe(path: str) -> bool:
    """Whether somebody holds the lock of this lock file right now."""
    import portalocker

    try:
        fd = os.open(path, os.O_RDONLY | _BINARY | _CLOEXEC | getattr(os, "O_NONBLOCK", 0))  # it may be a pipe
    except OSError:
        return False
    _probing.add(fd)
    try:
        portalocker.lock(fd, portalocker.LockFlags.SHARED | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return True
    except (portalocker.LockException, ImportError):
        return False
    finally:
        _probing.discard(fd)
        os.close(fd)
    return False


_probing: set[int] = set()


def _after_fork() -> None:
    """A child must not keep what a thread of its parent took for an instant."""
    for fd in list(_probing):
        os.close(fd)
    _probing.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def reading(path: str) -> Iterator[int]:
    """`open_read` for the length of a `with`."""
    fd = open_read(path)
    try:
        yield fd
    finally:
        let_go(fd)
