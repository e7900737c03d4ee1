"""Several processes that share one log, in tests: what each of them was promised stands outside the log.

A process of its own is a forked child that ends in :func:`os._exit`, whatever happens in it: it must not go on as a
second pytest. One that does not come to its end is killed, and fails the test.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Chain, Disk, chain

from jsonl_audit import AuditLog, Receipt, verify

__all__ = [
    "PATIENCE", "Child", "Promises", "SmallDisk", "doubled", "ended", "forked", "found", "living_on", "lost",
    "out_of_order", "sharing", "start",
]  # fmt: skip

PATIENCE = 120
"""Seconds after which a process hangs: far more than any of them needs, however busy the machine is."""


class Promises:
    """A file outside the log with a line for each receipt, written before the next event is given."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def keep(self, *receipts: Receipt) -> None:
        """Takes receipts."""
        for receipt in receipts:
            os.write(self._fd, f"{receipt.seq} {receipt.id} {receipt.hash}\n".encode())

    def close(self) -> None:
        """No more are taken."""
        os.close(self._fd)

    def kept(self) -> list[tuple[int, str, str]]:
        """seq, id and hash of all that was promised, in the order of their coming here; a torn last line is none."""
        words = [line.split() for line in self.path.read_text().split("\n")[:-1]]
        return [(int(seq), own_id, own_hash) for seq, own_id, own_hash in words]


def sharing(disk: Disk, **options: Any) -> AuditLog:
    """The log, shared."""
    return disk.open(shared=True, **{"lock_timeout": PATIENCE, **options})


def start(work: Callable[[], object], *, exit_by: Callable[[int], None] = os._exit) -> int:
    """Begins the work in a forked child; its process id. Its exit status is 0 where the work did not fail."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:  # pragma: no cover - in the child
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE - 20)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - it must not go on as a second pytest
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        exit_by(code)
    raise AssertionError  # pragma: no cover


def ended(child: int) -> int:
    """Waits for a child; its exit status, below 0 for the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Child:
    """A child that does its work in steps: `go` lets it take the next, `wait_until_stopped` sees it stop itself."""

    def __init__(self, work: Callable[[Child], object]) -> None:
        self._readable, self._writable = os.pipe()
        self._heard, self._told = os.pipe()
        self._status: int | None = None
        self.pid = start(lambda: work(self))

    def wait_for(self, word: bytes = b".") -> None:
        """In the child: goes on when the parent says so."""
        assert os.read(self._readable, 1) == word

    def say(self, word: bytes = b".") -> None:
        """In the child: tells the parent something."""
        os.write(self._told, word)

    def go(self, word: bytes = b".") -> None:
        """In the parent: lets the child go on."""
        os.write(self._writable, word)

    def hear(self, word: bytes = b".") -> None:
        """In the parent: waits for what the child has to say."""
        assert os.read(self._heard, 1) == word

    def wait_until_stopped(self) -> None:
        """In the parent: returns when the child has stopped."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"it ended: {status}"

    def go_on(self) -> None:
        """In the parent: lets a child that stopped go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """In the parent: SIGKILL; nothing of the child's own runs any more."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.end() == -signal.SIGKILL

    def has_ended(self) -> bool:
        """In the parent: whether it has come to its end; looks, and does not wait."""
        if self._status is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if done else None
        return self._status is not None

    def end(self) -> int:
        """In the parent: waits for its end; its exit status."""
        try:
            if self._status is None:
                self._status = ended(self.pid)
            return self._status
        finally:
            for fd in (self._readable, self._writable, self._heard, self._told):
                os.close(fd)


def living_on() -> Child:
    """A child that does nothing until it is told to, once it is there: what it inherits it has let go of by then."""

    def wait(child: Child) -> None:
        child.say()
        child.wait_for()

    child = Child(wait)
    child.hear()
    return child


@contextlib.contextmanager
def forked(works: list[Callable[[], object]]) -> Iterator[list[int]]:
    """Children that do the works while the `with` lasts; at its end each must have come to its own."""
    children = [start(work) for work in works]
    try:
        yield children
    except BaseException:
        for child in children:
            os.kill(child, signal.SIGKILL)
            ended(child)
        raise
    assert [ended(child) for child in children] == [0] * len(children)


class SmallDisk:
    """As if the folder of a log lay on a disk of its own, with room for so many bytes; the room may change later."""

    def __init__(self, folder: Path, room: Path) -> None:
        self._folder = str(folder)
        self._room = room

    def begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From here on writes into the folder fit, fail, or stop in the middle, in this process and its children."""
        real = os.write

        def write(fd: int, data: bytes) -> int:
            if os.path.dirname(os.readlink(f"/proc/self/fd/{fd}")) != self._folder:
                return real(fd, data)
            used = sum(map(_size, os.scandir(self._folder)))
            left = int(self._room.read_text()) - used
            if left <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(fd, bytes(data)[:left])

        monkeypatch.setattr(os, "write", write)

    def has(self, size: int) -> None:
        """So many bytes it holds from here on."""
        fresh = self._room.with_suffix(".new")
        fresh.write_text(str(size))
        fresh.replace(self._room)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # renamed, or purged, just now
        return 0


def found(disk: Disk, promised: list[tuple[int, str, str]] | None = None) -> Chain:
    """The log, read back: whole, without a doubled event, each writer's in their order, and all that was promised.

    An event says by `who` it was given, and its number there as `n`.
    """
    report = verify(disk.path, full=True)
    assert report.verdict == "intact", str(report)
    there = chain(disk)
    wrong = out_of_order(there.events)
    assert not wrong, f"out of order, or twice: {wrong[:3]}"
    missing = lost(there.records, promised or [])
    assert not missing, f"{len(missing)} of {len(promised or [])} that were acknowledged are not there: {missing[:3]}"
    return there


def out_of_order(events: Iterable[dict[str, Any]]) -> list[tuple[Any, int]]:
    """`who` and `n` of events that stand behind a later one of the same writer, or behind themselves."""
    newest: dict[Any, int] = {}
    wrong = []
    for event in events:
        who, n = event["who"], event["n"]
        if n <= newest.get(who, -1):
            wrong.append((who, n))
        newest[who] = n
    return wrong


def doubled(events: Iterable[dict[str, Any]]) -> list[tuple[Any, int]]:
    """`who` and `n` of events that are there more than once."""
    counts = Counter((event["who"], event["n"]) for event in events)
    return [each for each, count in counts.items() if count > 1]


def lost(records: Iterable[dict[str, Any]], promised: list[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Of what was promised, seq, id and hash, what no record is."""
    there = {(record["seq"], record["id"], record["hash"]) for record in records}
    return [receipt for receipt in promised if receipt not in there]
