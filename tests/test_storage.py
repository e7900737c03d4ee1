"""The one door to the system asks for what its callers rely on; and the simulated disk behaves as a real one does."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from simdisk import ROOT, SimDisk

from jsonl_audit import storage

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the calls are those of POSIX")


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """The inodes that the system was asked to sync, and whether each is a directory."""
    found: list[tuple[int, bool]] = []
    for name in ("fsync", "fdatasync"):
        if hasattr(os, name):
            monkeypatch.setattr(os, name, _noting(found, getattr(os, name)))
    return found


def _noting(found: list[tuple[int, bool]], real: Callable[[int], None]) -> Callable[[int], None]:
    def call(fd: int) -> None:
        status = os.fstat(fd)
        found.append((status.st_ino, stat.S_ISDIR(status.st_mode)))
        real(fd)

    return call


@pytest.mark.skipif(storage._MACOS, reason="it is fcntl there")
def test_a_sync_asks_the_system_for_one_of_that_very_file(tmp_path: Path, synced: list[tuple[int, bool]]) -> None:
    fd = storage.open_append(str(tmp_path / "file"), create=True)
    storage.sync(fd)
    assert synced == [(os.fstat(fd).st_ino, False)]
    storage.close(fd)


@pytest.mark.skipif(storage._MACOS, reason="it is fcntl there")
def test_a_sync_of_names_asks_the_system_for_one_of_the_directory(
    tmp_path: Path, synced: list[tuple[int, bool]]
) -> None:
    storage.sync_directory(str(tmp_path))
    assert synced == [(tmp_path.stat().st_ino, True)]
    synced.clear()
    storage.make_directory(str(tmp_path / "a" / "b"))
    assert synced == [(tmp_path.stat().st_ino, True), ((tmp_path / "a").stat().st_ino, True)]
    synced.clear()
    storage.sync_above(str(tmp_path / "a" / "b"))
    assert synced == [(path.stat().st_ino, True) for path in (tmp_path / "a" / "b").parents]


@pytest.mark.parametrize("call", ["make_directory", "sync_above"])
@pytest.mark.parametrize(("error", "told"), [(errno.EIO, True), (errno.ENOSPC, True), (errno.EACCES, False)])
def test_names_above_that_cannot_be_synced_are_an_error_unless_it_may_not_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int, told: bool
) -> None:
    def fail(_: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(error)) if told else contextlib.nullcontext():
        getattr(storage, call)(str(tmp_path / "a"))


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:7]))
    fd = storage.open_append(str(tmp_path / "file"), create=True)
    storage.write(fd, b"0123456789" * 5)
    storage.close(fd)
    assert (tmp_path / "file").read_bytes() == b"0123456789" * 5


def test_what_two_descriptors_write_stands_one_behind_the_other_and_no_child_gets_them(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    fds = [storage.open_append(path, create=True), storage.open_append(path)]
    for number in range(6):
        storage.write(fds[number % 2], b"%d" % number)
    assert (tmp_path / "file").read_bytes() == b"012345"
    fds += [storage.open_read(path), storage.open_lock(path)]
    assert not any(os.get_inheritable(fd) for fd in fds)
    for fd in fds:
        storage.close(fd)


# -- the simulated disk

NAMES = ("one", "two", "three", "folder", "folder/four")


class Side:
    """One of the two: the calls, and what their descriptors are called on both."""

    def __init__(self, calls: Any, root: str) -> None:
        self.calls, self.root = calls, root
        self.fds: dict[int, int] = {}

    def __call__(self, name: str, where: str | int, *args: Any, **options: Any) -> object:
        """What the call says: its result, or the error's number."""
        place = os.path.join(self.root, where).rstrip("/") if isinstance(where, str) else self.fds[where]
        if name in ("rename", "replace"):
            args = (os.path.join(self.root, args[0]),)
        try:
            result = getattr(self.calls, name)(place, *args, **options)
        except OSError as error:
            return error.errno
        if name.startswith("open") or name == "duplicate":
            self.fds[len(self.fds)] = result
            return None
        if name == "list_directory":
            return sorted(result)
        if name == "size" and isinstance(place, str) and self.calls.is_directory(place):
            return None  # that is the file system's own affair
        return (stat.S_IFMT(result.st_mode), stat.S_IMODE(result.st_mode)) if name in ("stat", "lstat") else result


def _steps(chance: random.Random) -> list[tuple[Any, ...]]:
    """Calls by name; a descriptor is told by its number in the order of their opening."""
    made: list[tuple[Any, ...]] = [("make_directory", "")]
    for _ in range(60):
        name, other = chance.choice(NAMES), chance.choice(NAMES[:3])
        fd = chance.randrange(12)
        made.append(
            chance.choice(
                [
                    ("open_append", name, {"create": True}), ("open_append", name), ("open_read", name),
                    ("open_append", name, {"create": True, "empty": True}), ("open_lock", name),
                    ("write", fd, b"x" * chance.randrange(900)), ("read", fd, chance.randrange(600), 300),
                    ("size", name), ("size", fd), ("lstat", name), ("sync", fd), ("sync_directory", "folder"),
                    ("exists", name), ("is_file", name), ("is_directory", name), ("list_directory", name),
                    ("list_directory", ""), ("rename", other, chance.choice(NAMES[:3])), ("unlink", other),
                    ("replace", other, chance.choice(NAMES[:3])), ("make_directory", "folder"),
                    ("lock_again", fd), ("unlock", fd), ("duplicate", fd), ("close", fd),
                ]
            )
        )  # fmt: skip
    return made


def test_the_simulated_disk_says_what_a_real_one_says(tmp_path: Path, tried: Callable[[str, int], None]) -> None:
    count = 0
    for seed in range(150):
        real, simulated = Side(storage, str(tmp_path / str(seed))), Side(SimDisk(), f"{ROOT}/log")
        writable: set[int] = set()
        closed: set[int] = set()
        for step in _steps(random.Random(seed)):
            options = step[-1] if isinstance(step[-1], dict) else {}
            name, where, *args = step[: -1 if options else None]
            if isinstance(where, int) and (where not in real.fds or where in closed):
                continue  # by now it may be another file's on the real side
            if name == "write" and where not in writable:
                continue
            before = len(real.fds)
            said = real(name, where, *args, **options), simulated(name, where, *args, **options)
            assert said[0] == said[1], f"seed {seed}: {step}: {said}"
            count += 1
            if len(real.fds) > before and (name == "open_append" or (name == "duplicate" and where in writable)):
                writable.add(before)
            if name == "close":
                closed.add(where)
        for number, fd in real.fds.items():
            if number not in closed:
                storage.close(fd)
    tried("steps", count)


def test_a_directory_that_another_makes_meanwhile_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "a" / "b")
    is_directory = os.path.isdir
    asked: list[str] = []

    def made_then(given: str) -> bool:
        answer = is_directory(given)
        if not asked:
            os.makedirs(path)
        asked.append(given)
        return answer

    monkeypatch.setattr(os.path, "isdir", made_then)
    storage.make_directory(path)
    assert asked == [path, path]
