"""A disk of 4 MB, filled to the brim under each policy: what was promised is what the log shows once there is space."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Disk, chain

from jsonl_audit import AuditLog, Receipt, StorageError, verify
from jsonl_audit.writer import policy

pytestmark = pytest.mark.exhaustive

SIZE = 4 << 20
BALLAST = 1 << 20


class Full:
    """A small disk with ballast on it, which is thrown off when space is to return."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"
        self.ballast.write_bytes(bytes(BALLAST))
        (folder / "log").mkdir()
        self.disk = Disk(folder / "log")

    def make_space(self) -> None:
        self.ballast.unlink()


class Simulated(Full):
    """The same where nothing can be mounted: what is written to the folder is counted, and cut where no space is."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self._write = os.write
        self._room = SIZE - BALLAST
        monkeypatch.setattr(os, "write", self._some)

    def make_space(self) -> None:
        super().make_space()
        self._room += BALLAST

    def _some(self, fd: int, data: bytes) -> int:
        path = os.readlink(f"/proc/self/fd/{fd}") if os.path.exists("/proc/self/fd") else ""
        if not path.startswith(f"{self.folder}{os.sep}"):
            return self._write(fd, data)
        if not self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        part = bytes(data)[: self._room]
        self._room -= len(part)
        return self._write(fd, part)


def _mounted(folder: Path) -> bool:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        return subprocess.run(mount, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Full]:
    """A mounted disk or a simulated one, by lot; what of the two can be had."""
    monkeypatch.setattr(policy, "TRY_EVERY", 0.01)
    folder = tmp_path / "small"
    folder.mkdir()
    known = os.path.exists("/proc/self/fd")  # else what a descriptor stands for cannot be told
    if known and random.random() < 0.5:
        yield Simulated(folder, monkeypatch)
    elif _mounted(folder):
        try:
            yield Full(folder)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True, stdin=subprocess.DEVNULL)
    elif known:
        yield Simulated(folder, monkeypatch)
    else:
        pytest.skip("no file system can be mounted here, and none be simulated")


class Told:
    """What the program was told of each of its events, by number."""

    def __init__(self) -> None:
        self.recorded: dict[int, Receipt] = {}
        self.held: dict[int, Receipt] = {}
        self.dropped: set[int] = set()
        self.refused: set[int] = set()
        self.number = 0

    def append(self, log: AuditLog, count: int, thread: int = 0) -> None:
        number, self.number = self.number, self.number + count
        events = [{"type": "t", "thread": thread, "n": number + n, "text": "x" * 1500} for n in range(count)]
        try:
            receipts = [log.append(events[0])] if count == 1 else log.append_many(events)
        except StorageError as error:
            self.refused.update(event["n"] for event in events)
            if error.errno != errno.ENOSPC or error.done:
                raise
            return
        for event, receipt in zip(events, receipts, strict=True):
            if receipt.recorded:
                self.recorded[event["n"]] = receipt
            elif receipt.hash:
                self.held[event["n"]] = receipt
            else:
                self.dropped.add(event["n"])


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
@pytest.mark.parametrize("mode", ["raise", "block", "drop", "spill"])
@pytest.mark.parametrize("size", [300_000, None], ids=["rotating", "one segment"])
def test_filled_to_the_brim(full: Full, tmp_path: Path, mode: str, fsync: str, size: int | None) -> None:
    options: dict[str, Any] = {"on_error": mode, "fsync": fsync, "max_bytes": size, "space_left": None}
    if mode == "spill":
        options["spill_path"] = tmp_path / "elsewhere"
    if mode == "block":
        options["error_timeout"] = 0.02
    told = Told()
    log = AuditLog(full.disk.path, **options)
    while told.number == len(told.recorded):
        told.append(log, 1 + 2 * (told.number % 5 == 0))
        assert told.number < 4000
    for _ in range(20):
        told.append(log, 1)
        told.append(log, 3)
    assert told.number - len(told.recorded) > 60
    full.make_space()
    log.flush()
    last = told.number
    for _ in range(10):
        told.append(log, 1)
    assert all(n in told.recorded for n in range(last, told.number))
    log.close()
    found = chain(full.disk)
    numbers = [record["n"] for record in found.events]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) >= set(told.recorded) | set(told.held)
    assert set(numbers) <= set(told.recorded) | set(told.held) | told.refused | told.dropped
    assert numbers == sorted(numbers)
    by_number = {record["n"]: record for record in found.events}
    for n, receipt in told.recorded.items():
        assert (by_number[n]["seq"], by_number[n]["hash"]) == (receipt.seq, receipt.hash)
    for n, receipt in told.held.items():
        assert (by_number[n]["id"], by_number[n]["time"]) == (receipt.id, receipt.ts)
    counts = {
        lost["why"]: sum(other["count"] for other in found.lost if other["why"] == lost["why"]) for lost in found.lost
    }
    if mode == "drop":
        assert counts == {"dropped": len(told.dropped - set(numbers))}
    elif mode == "block":
        assert counts == {"timed-out": len(told.refused)}
    else:
        assert not counts
    spilled = [record["details"]["count"] for record in found.records if record["type"] == "audit.spilled"]
    assert sum(spilled) == len(told.held)
    assert verify(full.disk.path, full=True).verdict == "intact"


def test_where_the_spill_place_is_on_the_full_disk_too(full: Full) -> None:
    told = Told()
    options: dict[str, Any] = {"on_error": "spill", "spill_path": full.folder / "spill", "max_bytes": 500_000}
    with AuditLog(full.disk.path, fsync="never", **options) as log:
        while told.number < 2500:
            told.append(log, 1)
        assert told.refused
        full.make_space()
        log.flush()
        told.append(log, 1)
    with AuditLog(full.disk.path, **options):
        pass
    found = chain(full.disk)
    numbers = {record["n"] for record in found.events}
    assert numbers >= set(told.recorded) | set(told.held)
    lost = sum(each["count"] for each in found.lost)
    assert lost == len(told.refused - numbers)
    assert verify(full.disk.path, full=True).verdict == "intact"


def test_threads_that_wait_for_space_lose_nothing(full: Full) -> None:
    log = AuditLog(full.disk.path, fsync="never", on_error="block", error_timeout=None, max_bytes=200_000)
    tolds = [Told() for _ in range(6)]

    def work(thread: int) -> None:
        for _ in range(380):
            tolds[thread].append(log, 1, thread)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    while not log._policy.trouble and any(thread.is_alive() for thread in threads):
        pass
    assert log._policy.trouble
    full.make_space()
    for thread in threads:
        thread.join()
    log.close()
    events = chain(full.disk).events
    for number in range(6):
        assert [record["n"] for record in events if record["thread"] == number] == list(range(380))
    assert verify(full.disk.path, full=True).verdict == "intact"


def test_a_suspended_log_keeps_what_is_left_for_others(full: Full) -> None:
    if isinstance(full, Simulated):
        pytest.skip("what is free is not simulated")
    from jsonl_audit.writer import space, tip

    keep = 1 << 20
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "EVERY", 0)
        patch.setattr(tip, "WATCH", 0)
        with AuditLog(full.disk.path, fsync="never", admin_space_left=keep) as log:
            refused = None
            while refused is None:
                try:
                    log.append("t", text="x" * 1000)
                except StorageError as error:
                    refused = error
            assert "suspended" in refused.message
            found = os.statvfs(full.folder)
            assert keep - 50_000 < found.f_bavail * found.f_frsize < keep
            full.make_space()
            patch.setattr(space, "AGAIN", 0)
            assert log.append("t").recorded
