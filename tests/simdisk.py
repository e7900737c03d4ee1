"""A disk in memory behind `jsonl_audit.storage`: what a program sees of it, and what a power cut may leave of it.

A program sees its own writes and names at once. The disk itself has them when they were synced: a file's bytes and size
by a sync of the file, names by a sync of their directory. Of all that came later a power cut keeps any part:

- each sector of 512 bytes of a file as it was on the disk, or as it stood after any of the writes since;
- the file's size, by the byte, anywhere between the smallest and the largest it had since: sectors that are within it
  and were not kept are zeros, so a size that grew first leaves a hole and one that grew late a cut;
- any of the changes of names in a directory, in their order, a rename being one of them and not two: it may be kept
  without the data of the file, and the data without it;
- whatever was synced, always, wherever its name leads.

Never does it keep what was not written, and nothing that was cut off comes back under a file that grew again.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
import random
import stat as stat_module
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from jsonl_audit import storage

__all__ = ["ROOT", "SECTOR", "Fault", "Mount", "OpenFile", "SimDisk", "Sizes", "edges", "every_byte", "images"]

ROOT = "/simulated"
"""Every path under it leads to the simulated disk; nothing of that name is on a real one."""
SECTOR = 512
_FIRST_FD = 1 << 20
_fds = itertools.count(_FIRST_FD)  # none twice, on whatever disk: what is collected late must not close another's

Fault = Callable[[str, tuple[Any, ...], Callable[[], Any]], Any]
"""Stands before each call: gets its name, its arguments and how to go on; may raise before, after, or instead of it."""


@dataclass
class Inode:
    """A file. `epochs` are its contents since the last sync, oldest first, a new list wherever it was emptied."""

    epochs: list[list[bytes]]
    mode: int = 0o600
    overwritten: bool = False

    @property
    def data(self) -> bytes:
        """What a program reads."""
        return self.epochs[-1][-1]

    def put(self, data: bytes) -> None:
        """What a program reads from now on."""
        self.epochs[-1].append(data)

    def empty(self) -> None:
        """Cut to nothing."""
        self.epochs.append([b""])

    def sync(self) -> None:
        """The disk has it all."""
        self.epochs = [[self.data]]

    def copy(self) -> Inode:
        """The same, apart."""
        return Inode([list(epoch) for epoch in self.epochs], self.mode, self.overwritten)


@dataclass
class Directory:
    """Names, each with the number of a file or a directory; `changes` came after the last sync."""

    durable: dict[str, int] = field(default_factory=dict)
    changes: list[dict[str, int | None]] = field(default_factory=list)
    mode: int = 0o700
    names: dict[str, int] = field(init=False)
    """What a program sees."""

    def __post_init__(self) -> None:
        self.names = self.after(self.changes)

    def change(self, names: dict[str, int | None]) -> None:
        """What a program sees from now on."""
        self.changes.append(names)
        self.names = self.after(self.changes)

    def after(self, changes: Iterator[dict[str, int | None]] | list[dict[str, int | None]]) -> dict[str, int]:
        """What is there if just these changes are kept."""
        names: dict[str, int | None] = dict(self.durable)
        for change in changes:
            names.update(change)
        return {name: number for name, number in names.items() if number is not None}

    def sync(self) -> None:
        """The disk has them all."""
        self.durable, self.changes = self.names, []

    def copy(self) -> Directory:
        """The same, apart."""
        return Directory(dict(self.durable), list(self.changes), self.mode)


@dataclass(eq=False)
class OpenFile:
    """What a descriptor leads to; copies of a descriptor share it."""

    number: int
    path: str


class SimDisk:
    """The disk, and the running system before it."""

    def __init__(self) -> None:
        self.nodes: dict[int, Inode | Directory] = {1: Directory()}
        self.open_files: dict[int, OpenFile] = {}
        self.locks: dict[int, OpenFile] = {}
        self.boot = 1
        self.full: set[str] = set()
        """The directories in which there is no space left for another byte."""
        self.watch: Callable[[str], None] | None = None
        """Called before each step that changes anything, with the name of it: what stands there now is a crash's."""
        self.written: tuple[int, bytes] | None = None
        """The write that is about to be done, in `watch`: number of the file, and data."""
        self._given_up: set[int] = set()
        self._to_be_told: list[OpenFile] = []
        self._numbers = itertools.count(2)
        self._free = threading.Condition()

    # -- names

    def directory(self, path: str) -> Directory:
        """The directory at a path. Raises OSError."""
        node = self.nodes[self.number(path)]
        if isinstance(node, Inode):
            raise _error(errno.ENOTDIR, path)
        return node

    def number(self, path: str) -> int:
        """The number of what stands at a path. Raises OSError."""
        number = 1
        for name in [part for part in path[len(ROOT) :].split("/") if part]:
            node = self.nodes[number]
            if isinstance(node, Inode):
                raise _error(errno.ENOTDIR, path)
            found = node.names.get(name)
            if found is None:
                raise _error(errno.ENOENT, path)
            number = found
        return number

    def exists(self, path: str) -> bool:
        """Whether anything stands there."""
        try:
            self.number(path)
        except OSError:
            return False
        return True

    def files(self, path: str) -> dict[str, bytes]:
        """What a program finds in a directory: the contents of its files by name; empty where there is none."""
        if not self.exists(path):
            return {}
        found = {name: self.nodes[number] for name, number in self.directory(path).names.items()}
        return {name: node.data for name, node in found.items() if isinstance(node, Inode)}

    def put_file(self, path: str, data: bytes) -> None:
        """A file that is on the disk, in the place of what stood there; its directory has to be there."""
        above, name = os.path.split(path)
        names = self.directory(above)
        number = names.names.get(name) or next(self._numbers)
        self.nodes[number] = Inode([[data]])
        names.change({name: number})
        names.sync()

    def unsynced_directory(self, path: str) -> None:
        """A directory, and what is missing above it, that nobody has synced."""
        above, name = os.path.split(path)
        if not self.exists(above):
            self.unsynced_directory(above)
        number = next(self._numbers)
        self.directory(above).change({name: number})
        self.nodes[number] = Directory()

    def _change(self, what: str, path: str, **names: int | None) -> None:
        self._step(what)
        self.directory(path).change(names)

    def _step(self, what: str) -> None:
        if self.watch is not None:
            self.watch(what)

    # -- the calls of jsonl_audit.storage, by its names

    def open_append(
        self, path: str, *, create: bool = False, empty: bool = False, new: bool = False, mode: int = 0o600
    ) -> int:
        if new and self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        if create and not self.exists(path):
            above, name = os.path.split(path)
            self.directory(above)
            number = next(self._numbers)
            self._change("create", above, **{name: number})
            self.nodes[number] = Inode([[b""]], mode)
        fd = self._open(path)
        node = self._file(fd)
        if empty and node.data:
            self._step("empty")
            node.empty()
            self._given_up.discard(self.open_files[fd].number)
        return fd

    def open_lock(self, path: str, mode: int = 0o600) -> int:
        return self.open_append(path, create=True, mode=mode)

    def open_read(self, path: str) -> int:
        return self._open(path)

    def _open(self, path: str) -> int:
        number = self.number(path)
        if isinstance(self.nodes[number], Directory):
            raise _error(errno.EISDIR, path)
        fd = next(_fds)
        self.open_files[fd] = OpenFile(number, path)
        return fd

    def _file(self, fd: int) -> Inode:
        if fd not in self.open_files:
            raise _error(errno.EBADF)
        node = self.nodes[self.open_files[fd].number]
        assert isinstance(node, Inode)
        return node

    def path_of(self, fd: int) -> str:
        """The path that a descriptor was opened by."""
        return self.open_files[fd].path if fd in self.open_files else ""

    def close(self, fd: int) -> None:
        self._file(fd)
        gone = self.open_files.pop(fd)
        if gone not in self.open_files.values():
            self._unlock(gone)

    def duplicate(self, fd: int) -> int:
        self._file(fd)
        other = next(_fds)
        self.open_files[other] = self.open_files[fd]
        return other

    def read(self, fd: int, offset: int, count: int) -> bytes:
        return self._file(fd).data[offset : offset + count]

    def write(self, fd: int, data: bytes) -> None:
        node = self._file(fd)
        self.written = self.open_files[fd].number, bytes(data)
        self._step("write")
        self.written = None
        if os.path.dirname(self.path_of(fd)) in self.full:
            raise _error(errno.ENOSPC)
        node.put(node.data + bytes(data))

    def overwrite(self, fd: int, offset: int, data: bytes) -> None:
        node = self._file(fd)
        self._step("overwrite")
        node.overwritten = True
        if offset == 0 and len(data) >= len(node.data):
            self._given_up.discard(self.open_files[fd].number)
        before = node.data.ljust(offset, b"\0")
        node.put(before[:offset] + data + before[offset + len(data) :])

    def sync(self, fd: int) -> None:
        node = self._file(fd)
        self._step("sync")
        mine = self.open_files[fd]
        if mine in self._to_be_told:
            self._to_be_told.remove(mine)
            raise _error(errno.EIO)
        if mine.number not in self._given_up:
            node.sync()

    def fail_sync(self, fd: int) -> None:
        """A sync fails. As Linux does it, each who has the file open is told so once; then the system says that all
        is well, and what could not be written stays unwritten."""
        self._file(fd)
        mine = self.open_files[fd]
        self._given_up.add(mine.number)
        self._to_be_told += [each for each in set(self.open_files.values()) if each.number == mine.number]
        self.sync(fd)

    def sync_directory(self, path: str) -> None:
        directory = self.directory(path)
        self._step("sync_directory")
        directory.sync()

    def stat(self, where: int | str) -> os.stat_result:
        number = self.open_files[where].number if isinstance(where, int) and self._file(where) else 0
        if isinstance(where, str):
            number = self.number(where)
        node = self.nodes[number]
        size, kind = (len(node.data), stat_module.S_IFREG) if isinstance(node, Inode) else (0, stat_module.S_IFDIR)
        return os.stat_result((kind | node.mode, number, 7, 1, os.getuid(), os.getgid(), size, 0, 0, 0))

    def lstat(self, path: str) -> os.stat_result:
        return self.stat(path)

    def size(self, where: int | str) -> int:
        return self.stat(where).st_size

    def is_file(self, path: str) -> bool:
        return self.exists(path) and isinstance(self.nodes[self.number(path)], Inode)

    def is_directory(self, path: str) -> bool:
        return self.exists(path) and isinstance(self.nodes[self.number(path)], Directory)

    def list_directory(self, path: str) -> list[str]:
        return list(self.directory(path).names)

    def make_directory(self, path: str) -> None:
        above, name = os.path.split(path)
        if self.exists(path):
            self.directory(path)
            return
        self.make_directory(above)
        number = next(self._numbers)
        self._change("make_directory", above, **{name: number})
        self.nodes[number] = Directory()
        self.sync_directory(above)

    def rename(self, source: str, target: str) -> None:
        if self.exists(target):
            raise _error(errno.EEXIST, target)
        self.replace(source, target)

    def replace(self, source: str, target: str) -> None:
        number = self.number(source)
        above, old = os.path.split(source)
        assert above == os.path.dirname(target), "within one directory: else it is no single change"
        self._change("rename", above, **{old: None, os.path.basename(target): number})

    def unlink(self, path: str) -> None:
        self.number(path)
        above, name = os.path.split(path)
        self._change("unlink", above, **{name: None})

    def free_space(self, path: str) -> tuple[int, int]:
        self.directory(path)
        return (0 if path in self.full else 1 << 30), 1 << 30

    def boot_id(self) -> str:
        return f"boot {self.boot}"

    def lock(self, fd: int) -> bool:
        self._file(fd)
        mine = self.open_files[fd]
        with self._free:
            return self.locks.setdefault(mine.number, mine) is mine

    def lock_again(self, fd: int) -> bool:
        return self.lock(fd)

    def wait_for_lock(self, fd: int) -> None:
        self._file(fd)
        mine = self.open_files[fd]
        with self._free:
            self._free.wait_for(lambda: self.locks.setdefault(mine.number, mine) is mine)

    def unlock(self, fd: int) -> None:
        self._file(fd)
        self._unlock(self.open_files[fd])

    def _unlock(self, holder: OpenFile) -> None:
        with self._free:
            if self.locks.get(holder.number) is holder:
                del self.locks[holder.number]
                self._free.notify_all()

    def probe(self, path: str) -> bool:
        return self.exists(path) and self.number(path) in self.locks

    def let_others_run(self) -> None:
        pass

    # -- crashes

    def copy(self) -> SimDisk:
        """The disk and what is not synced, at this moment; nobody has it open."""
        other = SimDisk()
        other.nodes = {number: node.copy() for number, node in self.nodes.items()}
        other.boot, other.written = self.boot, self.written
        other._numbers = itertools.count(max(self.nodes) + 1)
        return other

    def synced(self) -> SimDisk:
        """The same, all of it on the disk."""
        other = self.copy()
        for node in other.nodes.values():
            node.sync()
        return other

    def key(self) -> object:
        """What two disks with the same content have in common."""
        return frozenset(
            (number, node.data if isinstance(node, Inode) else tuple(node.names.items()))
            for number, node in self.nodes.items()
        )

    def killed(self) -> SimDisk:
        """What is there when a program was killed between two calls; nobody has it open."""
        other = self.copy()
        other.written = None
        return other

    def kills(self, sizes: Sizes) -> Iterator[SimDisk]:
        """What may be there when the program was killed: all it did, of a write that it was in any part."""
        yield self.killed()
        if self.written is not None:
            number, data = self.written
            for size in sizes([0, len(data)])[1:-1]:
                other = self.killed()
                node = other.nodes[number]
                assert isinstance(node, Inode)
                node.put(node.data + data[:size])
                yield other

    def power_cuts(self, *, sizes: Sizes, limit: int, chance: random.Random) -> Iterator[SimDisk]:
        """What may be there when the power was cut: at most `limit` disks, drawn by lot where there are more.

        `sizes` says which of the sizes that a file may be left with are tried. With a `limit` of 0 all are taken, but
        that a file which is only written over, as the lock file is, stays as it was or is as it would be.
        """
        dirty = {number: node for number, node in self.nodes.items() if isinstance(node, Inode) and _unsynced(node)}
        folders = {number: node for number, node in self.nodes.items() if isinstance(node, Directory) and node.changes}
        choices: list[list[Any]] = [
            [node.after(kept) for kept in _subsets(node.changes, 6, chance)] for node in folders.values()
        ]
        for node in dirty.values():
            written_over = not limit and node.overwritten
            choices.append([node.data, node.epochs[0][0]] if written_over else images(node, sizes, chance))
        for chosen in _product(choices, limit or sys.maxsize, chance):
            yield self._cut(dict(zip([*folders, *dirty], chosen, strict=True)))

    def power_cut(self, chance: random.Random) -> SimDisk:
        """One of all these, drawn by lot: for those who go on from one and not from each."""
        left: dict[int, Any] = {}
        for number, node in self.nodes.items():
            if isinstance(node, Directory) and node.changes:
                left[number] = node.after([change for change in node.changes if chance.random() < 0.5])
            elif isinstance(node, Inode) and _unsynced(node):
                left[number] = _image(node, chance)
        return self._cut(left)

    def _cut(self, left: dict[int, Any]) -> SimDisk:
        """The disk with what was left of each file and each directory that was not synced."""
        other = SimDisk()
        other.boot = self.boot + 1
        for number, node in self.nodes.items():
            if number not in left:
                other.nodes[number] = node.copy()
            elif isinstance(node, Inode):
                other.nodes[number] = Inode([[left[number]]], node.mode)
            else:
                other.nodes[number] = Directory(left[number])
        other._numbers = itertools.count(max(self.nodes) + 1)
        return other


Sizes = Callable[[list[int]], list[int]]
"""Which sizes to try of a file that had these in turn."""


def every_byte(had: list[int]) -> list[int]:
    """Every size between the smallest and the largest."""
    return list(range(min(had), max(had) + 1))


def edges(had: list[int]) -> list[int]:
    """Around each size that it had and each edge of a sector between, and one in the middle."""
    low, high = min(had), max(had)
    marks = {*had, (low + high) // 2, *range((low // SECTOR + 1) * SECTOR, high, SECTOR)}
    return sorted({size for mark in marks for size in (mark - 1, mark, mark + 1) if low <= size <= high})


def _unsynced(node: Inode) -> bool:
    return len(node.epochs) > 1 or len(node.epochs[0]) > 1


def images(node: Inode, sizes: Sizes, chance: random.Random, limit: int = 400) -> list[bytes]:
    """What a file may hold after a power cut, each content once; the newest first, then the oldest."""
    found: dict[bytes, None] = {node.data: None, node.epochs[0][0]: None}
    for epoch in node.epochs:
        changed = _sectors(epoch)
        for size in sizes([len(version) for version in epoch]):
            options = [
                list(dict.fromkeys(version[at : min(at + SECTOR, size)].ljust(min(SECTOR, size - at), b"\0")
                                   for version in epoch))
                for at in changed if at < size
            ]  # fmt: skip
            base = epoch[-1][:size].ljust(size, b"\0")
            for chosen in _product(options, limit, chance):
                image = bytearray(base)
                for at, sector in zip(changed, chosen, strict=False):
                    image[at : at + len(sector)] = sector
                found[bytes(image)] = None
    return list(found)


def _image(node: Inode, chance: random.Random) -> bytes:
    """One of the images, by lot: of any size that it had, or between, each sector as it stood at any time since."""
    epoch = chance.choice(node.epochs)
    size = chance.choice(edges([len(version) for version in epoch]))
    image = bytearray(epoch[-1][:size].ljust(size, b"\0"))
    versions = chance.choice((epoch, epoch[:1], epoch[-1:]))
    for at in _sectors(epoch):
        if at < size:
            sector = chance.choice(versions)[at : min(at + SECTOR, size)]
            image[at : min(at + SECTOR, size)] = sector.ljust(min(SECTOR, size - at), b"\0")
    return bytes(image)


def _sectors(versions: list[bytes]) -> list[int]:
    """Where the sectors begin that the versions do not have in common."""
    longest = max(map(len, versions))
    return [
        at for at in range(0, longest, SECTOR) if len({version[at : at + SECTOR] for version in versions}) > 1
    ]


def _subsets(
    changes: list[dict[str, int | None]], most: int, chance: random.Random
) -> list[list[dict[str, int | None]]]:
    """Which changes may be kept: any of them; of very many the older ones all, to keep the number down."""
    older, newer = changes[:-most], changes[-most:]
    return [
        older + list(itertools.compress(newer, which)) for which in itertools.product((True, False), repeat=len(newer))
    ]


def _product(options: list[list[Any]], limit: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    """Every combination where there are at most `limit`, else so many by lot, all-newest and all-oldest among them."""
    if math.prod(map(len, options)) <= limit:
        yield from itertools.product(*options)
        return
    yield tuple(option[0] for option in options)
    yield tuple(option[-1] for option in options)
    for _ in range(limit - 2):
        yield tuple(chance.choice(option) for option in options)


def _error(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), *([path] if path else []))


# -- the door

_DOOR = (
    "boot_id", "close", "duplicate", "exists", "free_space", "is_directory", "is_file", "let_others_run",
    "list_directory", "lock", "lock_again", "lstat", "make_directory", "open_append", "open_lock", "open_read",
    "overwrite", "probe", "read", "rename", "replace", "size", "stat", "sync", "sync_directory",
    "unlink", "unlock", "wait_for_lock", "write",
)  # fmt: skip


class Mount:
    """Puts a simulated disk behind every call of storage that concerns it; another can take its place at any time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.disk = SimDisk()
        self.fault: Fault | None = None
        for name in _DOOR:
            monkeypatch.setattr(storage, name, self._call(name, getattr(storage, name)))

    def _call(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            first = args[0] if args else None
            if name == "sync_directory" and first == "/":
                return None  # what stands above the simulated disk
            if isinstance(first, int):
                if first < _FIRST_FD:
                    return real(*args, **options)
            elif isinstance(first, str) and not (first == ROOT or first.startswith(ROOT + "/")):
                return real(*args, **options)
            disk = self.disk
            if self.fault is None or name in ("boot_id", "let_others_run"):
                return getattr(disk, name)(*args, **options)
            return self.fault(name, args, lambda: getattr(disk, name)(*args, **options))

        return call
