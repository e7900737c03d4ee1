"""Several appenders on one log: each commit goes on from what the others left."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time

import pytest
from disk import Calls, Disk, chain

from jsonl_audit import LockedError, StorageError, SyncError, WriteError, query, storage, verify
from jsonl_audit.mark import read as read_mark

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_two_take_turns_through_rotation(disk: Disk, fsync: str) -> None:
    seqs = []
    with disk.open(shared=True, fsync=fsync, max_bytes=3000) as one:
        with disk.open(shared=True, fsync=fsync, max_bytes=5000) as two:
            for n in range(60):
                seqs.append((one if n % 3 else two).append("t", n=n, text="x" * 100).seq)
                assert one.last_seq == two.last_seq
                assert one.head == two.head
        one.append("t", n=60)
    found = chain(disk).events
    assert [event["n"] for event in found] == list(range(61))
    assert [event["seq"] for event in found[:60]] == seqs
    assert len(disk.sealed()) > 3
    assert verify(disk.path, full=True).verdict == "intact"


def test_one_that_slept_through_several_segments_goes_on_from_the_newest(disk: Disk) -> None:
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        for n in range(1, 4):
            two.append("t", n=n)
            two.rotate()
        two.append("t", n=4)
        one.append("t", n=5)
        two.append("t", n=6)
    assert [event["n"] for event in chain(disk).events] == list(range(7))


def test_the_lock_is_free_between_commits(disk: Disk) -> None:
    with disk.open(shared=True) as log:
        log.append("t")
        disk.open().close()
        log.append("t")
        log.flush()
        log.rotate()
        disk.open().close()
        log.append("t")
    assert verify(disk.path, full=True).verdict == "intact"


def test_one_that_keeps_the_log_for_itself_keeps_the_others_waiting(disk: Disk) -> None:
    shared = disk.open(shared=True, lock_timeout=0.1)
    with disk.open() as alone:
        with pytest.raises(LockedError, match="is writing to this log"):
            shared.append("t", n=1)
        alone.append("t", n=0)
    shared.append("t", n=1)
    shared.close()
    assert [event["n"] for event in chain(disk).events] == [0, 1]


def test_one_that_waits_gets_the_lock_as_soon_as_it_is_free(disk: Disk) -> None:
    shared = disk.open(shared=True, lock_timeout=60)
    alone = disk.open()
    thread = threading.Thread(target=shared.append, args=("t",))
    thread.start()
    alone.append("t")
    alone.close()
    thread.join(30)
    assert not thread.is_alive()
    shared.close()
    assert len(chain(disk).events) == 2


def test_a_wait_that_was_given_up_leaves_one_thread_and_no_lock(disk: Disk) -> None:
    with disk.open() as alone:
        before = threading.active_count()
        for _ in range(3):
            with pytest.raises(LockedError):
                disk.open(shared=True, lock_timeout=0.05)
        assert threading.active_count() <= before + 1
        alone.append("t")
    with disk.open(shared=True, lock_timeout=30) as log:
        log.append("t")
    with disk.open(lock_timeout=30) as log:
        log.append("t")
    assert len(chain(disk).events) == 3


def test_what_another_left_half_written_is_sealed_and_gone_on_from(disk: Disk) -> None:
    with disk.open(shared=True) as log:
        log.append("t", n=0)
        disk.grow(b'{"seq":3,"ts":"')
        log.append("t", n=1)
        assert any("stopped in the middle" in note for note in log.notes)
    assert [event["n"] for event in chain(disk).events] == [0, 1]
    assert verify(disk.path, full=True).verdict == "intact"


def test_a_sync_that_failed_in_one_is_not_built_upon_by_another(disk: Disk, calls: Calls) -> None:
    with disk.open(shared=True, fsync="always") as one, disk.open(shared=True, fsync="always") as two:
        one.append("t", n=0)
        calls.fail("sync", error=errno.EIO)
        with pytest.raises(SyncError):
            one.append("t", n=1)
        calls.heal()
        mark = read_mark(str(disk.lock))
        assert mark is not None
        assert mark.failed
        two.append("t", n=2)
        one.append("t", n=3)
    assert len(disk.sealed()) == 1
    assert [event["n"] for event in chain(disk).events] == [0, 2, 3]
    assert verify(disk.path, full=True).verdict == "intact"


def test_a_sync_in_the_background_that_failed_costs_all_that_was_not_on_disk_and_is_told(
    disk: Disk, calls: Calls
) -> None:
    options = {"shared": True, "fsync": "interval", "sync_interval": 3600}
    with disk.open(**options) as one, disk.open(**options) as two:
        one.append("t", n=0)
        one.flush()
        one.append("t", n=1)
        two.append("t", n=2)
        calls.fail("sync", error=errno.EIO)
        one._appender.sync_in_background()
        calls.heal()
        two.append("t", n=3)
        one.append("t", n=4)
    found = chain(disk)
    assert [event["n"] for event in found.events] == [0, 3, 4]
    assert [lost["count"] for lost in found.lost] == [2]
    assert verify(disk.path, full=True).verdict == "intact"


def test_each_commit_of_a_synced_log_leaves_its_mark(disk: Disk) -> None:
    with disk.open(shared=True, fsync="always") as log:
        for _ in range(3):
            receipt = log.append("t")
            mark = read_mark(str(disk.lock))
            assert mark is not None
            assert (mark.synced, mark.hash) == (disk.path.stat().st_size, receipt.hash)


def test_the_weakest_of_those_who_share_decides_what_a_hole_can_lose(disk: Disk) -> None:
    with disk.open(shared=True, fsync="never") as weak, disk.open(shared=True, fsync="always") as strong:
        strong.append("t")
        weak.append("t")
        weak.flush()
        strong.append("t")
    mark = read_mark(str(disk.lock))
    assert mark is not None
    assert mark.fsync == "never"


def test_a_file_system_without_locks_is_refused(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(fd: int) -> bool:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(storage, "lock", no_locks)
    monkeypatch.setattr(storage, "lock_again", no_locks)
    for shared in (False, True):
        with pytest.raises(StorageError, match="has no locks") as caught:
            disk.open(shared=shared)
        assert caught.value.errno == errno.ENOLCK
    assert not disk.path.exists()


def test_a_lock_file_that_was_removed_is_made_anew_by_whoever_notices(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jsonl_audit.writer.tip.WATCH", 0)
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        disk.lock.unlink()
        one.append("t", n=1)
        two.append("t", n=2)
        assert disk.lock.exists()
        one.append("t", n=3)
    assert [event["n"] for event in chain(disk).events] == [0, 1, 2, 3]


def test_an_active_file_that_was_removed_has_a_successor(disk: Disk) -> None:
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        two.append("t", n=1)
        disk.path.unlink()
        receipt = one.append("t", n=2)
        two.append("t", n=3)
    assert receipt.seq == 5  # behind a header, two events and the successor's header
    report = verify(disk.path, full=True)
    assert [finding.kind for finding in report.findings] == ["segment-missing"]


def test_a_write_that_failed_is_read_again_whoever_comes_first(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = storage.write

    def write(fd: int, data: bytes) -> None:
        monkeypatch.setattr(storage, "write", real)
        real(fd, data[:50])
        raise OSError(errno.ENOSPC, "full")

    for other_first in (False, True):
        with disk.open(shared=True) as one, disk.open(shared=True) as two:
            one.append("t")
            monkeypatch.setattr(storage, "write", write)
            with pytest.raises(WriteError) as caught:
                one.append("refused")
            if other_first:
                two.append("t")
            assert one._appender.recorded(caught.value.attempted) == set()
            one.append("t")
    assert {event["type"] for event in chain(disk).events} == {"t"}
    assert verify(disk.path, full=True).verdict == "intact"


def in_segment(disk: Disk, text: bytes) -> None:
    """Changes one byte of the active file where `text` stands."""
    at = disk.path.read_bytes().index(text)
    with disk.path.open("r+b") as file:
        file.seek(at)
        file.write(b"X")


@pytest.mark.parametrize("late", [False, True], ids=["soon", "late"])
@pytest.mark.parametrize("time", [False, True], ids=["plain", "timed"])
def test_a_line_of_another_that_was_changed_on_its_way_is_never_vouched_for(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, late: bool, time: bool
) -> None:
    """What another process wrote is verified before a digest says anything about it."""
    if late:
        monkeypatch.setattr("jsonl_audit.writer.shared.SMALL", 100)
    own = {"time": "2026-01-02T03:04:05.000006Z"} if time else {}
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        for n in range(1, 6):
            two.append("t", n=n, word=f"number{n}", **own)
        in_segment(disk, b"number3")
        one.append("t", n=6)
        one.rotate()
        one.append("t", n=7)
    for full in (False, True):
        report = verify(disk.path, full=full)
        assert report.verdict == "tampered"
        assert [finding.kind for finding in report.findings] == ["documented-damage"]


def test_what_another_synced_is_never_given_up_for_a_sync_of_ones_own_that_failed(disk: Disk, calls: Calls) -> None:
    with disk.open(shared=True, fsync="always") as one, disk.open(shared=True, fsync="always") as two:
        one.append("t", n=0)
        two.append("t", n=1)
        calls.fail("sync", error=errno.EIO)
        with pytest.raises(SyncError):
            one.append("t", n=2)
        calls.heal()
        two.append("t", n=3)
    assert [event["n"] for event in chain(disk).events] == [0, 1, 3]


def test_a_folder_that_was_removed_is_made_anew(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jsonl_audit.writer.tip.WATCH", 0)
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        shutil.rmtree(disk.folder)
        one.append("t", n=1)
        two.append("t", n=2)
    assert [json.loads(line).get("n") for line in disk.lines()] == [None, 1, 2]


def test_a_line_that_was_put_behind_without_the_lock_and_does_not_link_is_damage(disk: Disk) -> None:
    with disk.open(shared=True) as log:
        log.append("t", n=0)
        log.append("t", n=1)
        disk.grow(disk.lines()[1])  # a line once more
        log.append("t", n=2)
    report = verify(disk.path, full=True)
    assert report.verdict == "tampered"


def test_own_times_and_purges_of_others_are_known_to_whoever_seals(disk: Disk) -> None:
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t")
        two.append("t", time="2020-01-02T03:04:05.000006Z")
        two.append("t", time="2030-01-02T03:04:05.000006Z")
        one.append("t")
        one.rotate()
    header = json.loads(disk.lines()[0])
    assert header["details"]["previous"]["time"] == ["2020-01-02T03:04:05.000006Z", "2030-01-02T03:04:05.000006Z"]
    assert header["details"]["previous"]["timed"] == 2


def test_batches_of_others_are_gone_on_from_only_when_whole(disk: Disk) -> None:
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        two.append_many([{"type": "t", "n": n} for n in range(1, 4)])
        one.append("t", n=4)
        size = disk.path.stat().st_size
        two.append_many([{"type": "t", "n": n} for n in range(5, 8)])
        disk.cut(size + (disk.path.stat().st_size - size) // 3 + 100)  # as if it had been killed within its write
        one.append("t", n=8)
    assert [event["n"] for event in chain(disk).events] == [0, 1, 2, 3, 4, 8]


def test_one_that_slept_long_walks_before_it_seals(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jsonl_audit.writer.shared.SMALL", 300)
    monkeypatch.setattr("jsonl_audit.writer.tip.SLICE", 700)
    monkeypatch.setattr("jsonl_audit.writer.shared.DIGEST_BLOCK", 500)
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        for n in range(1, 20):
            two.append("t", n=n)
        for n in range(20, 30):
            one.append("t", n=n)
        one.rotate()
        two.append("t", n=30)
    assert [event["n"] for event in chain(disk).events] == list(range(31))
    assert verify(disk.path, full=True).verdict == "intact"


# -- one that slept, and what it meets


def test_a_segment_whose_sync_failed_is_not_gone_on_in_by_one_that_comes_from_an_earlier_one(
    disk: Disk, calls: Calls
) -> None:
    with disk.open(shared=True, fsync="always") as one, disk.open(shared=True, fsync="always") as two:
        one.append("t", n=0)
        two.append("t", n=1)
        two.rotate()
        two.append("t", n=2)
        calls.fail("sync", error=errno.EIO)
        with pytest.raises(SyncError):
            two.append("t", n=3)
        calls.heal()
        one.append("t", n=4)
        two.append("t", n=5)
    assert [event["n"] for event in chain(disk).events] == [0, 1, 2, 4, 5]


def test_a_bad_end_behind_a_rotation_costs_no_descriptor(disk: Disk) -> None:
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        for n in range(5):
            one.append("t", n=3 * n)
            two.append("t", n=3 * n + 1)
            two.rotate()
            two.append("t", n=3 * n + 2)
            disk.grow(b'{"seq":')
            before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
            one.last_seq  # noqa: B018 - asking is what is tested
            # Fewer, where the collector has just come by what an earlier test left.
            assert (len(os.listdir("/proc/self/fd")) if before else 0) <= before
    assert [event["n"] for event in chain(disk).events] == list(range(15))


def test_a_file_that_was_removed_is_noticed_first_by_one_that_slept(disk: Disk) -> None:
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        for n in range(1, 3):
            two.append("t", n=n)
            two.rotate()
        two.append("t", n=3)
        disk.path.unlink()
        one.append("t", n=4)
        two.append("t", n=5)
        one.append("t", n=6)
    report = verify(disk.path, full=True)
    assert [finding.kind for finding in report.findings] == ["segment-missing"]
    assert [record["n"] for record in query(disk.path)] == [0, 1, 2, 4, 5, 6]


def test_damage_before_a_torn_end_is_listed(disk: Disk) -> None:
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        for n in range(1, 4):
            two.append("t", n=n, word=f"number{n}")
        in_segment(disk, b"number2")
        disk.grow(b'{"seq":')
        one.append("t", n=4)
    for full in (False, True):
        assert [finding.kind for finding in verify(disk.path, full=full).findings] == ["documented-damage"]


@pytest.mark.parametrize("rotated", [False, True])
def test_a_last_sync_that_fails_takes_nothing_from_the_others(disk: Disk, calls: Calls, rotated: bool) -> None:
    one = disk.open(shared=True, fsync="interval", sync_interval=3600)
    with disk.open(shared=True, fsync="always") as two:
        one.append("t", n=0)
        two.append("t", n=1)
        if rotated:
            two.rotate()
            two.append("t", n=2)
        left = read_mark(str(disk.lock))
        calls.fail("sync", error=errno.EIO)
        with pytest.raises(SyncError):
            one.close()
        calls.heal()
        mark = read_mark(str(disk.lock))
        assert mark is not None
        assert left is not None
        assert (mark.segment, mark.synced) == (left.segment, left.synced)
        two.append("t", n=3)
    assert [event["n"] for event in chain(disk).events] == ([0, 1, 2, 3] if rotated else [0, 1, 3])


def test_a_busy_process_notices_that_the_lock_file_is_another(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 10**18
    monkeypatch.setattr(time, "time_ns", lambda: clock)
    with disk.open(shared=True) as log:
        disk.lock.unlink()
        for _ in range(30):
            clock += 10_000_000
            log.append("t")
        assert disk.lock.exists()


def test_what_was_appended_before_a_failed_sync_could_be_told_is_counted_too(
    disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync fails in the background while another process has the lock, and goes on acknowledging."""
    options = {"shared": True, "fsync": "interval", "sync_interval": 3600}
    with disk.open(**options) as one, disk.open(**options) as two:
        one.append("t", n=0)
        one.flush()
        one.append("t", n=1)
        calls.fail("sync", error=errno.EIO)
        with monkeypatch.context() as patch:
            patch.setattr(one._appender._tip.lock, "enter", _locked)
            one._appender.sync_in_background()
        calls.heal()
        two.append("t", n=2)
        two.append("t", n=3)
        one.append("t", n=4)
    found = chain(disk)
    assert [event["n"] for event in found.events] == [0, 4]
    assert [lost["count"] for lost in found.lost] == [3]


def _locked(*_: object, **__: object) -> None:
    raise LockedError("another process is writing to this log")


def test_the_mark_never_goes_back(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reads the disk again, after a write that left nothing, without knowing what another has synced."""
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t")
        two.append("t")
        two.flush()
        left = read_mark(str(disk.lock))
        with monkeypatch.context() as patch:
            patch.setattr(storage, "write", _full)
            with pytest.raises(WriteError):
                one.append("t")
        one.append("t")
        mark = read_mark(str(disk.lock))
    assert mark is not None
    assert left is not None
    assert mark.synced >= left.synced > 0


def _full(fd: int, data: bytes) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_end_before_what_was_on_the_disk_is_damage_whoever_notices(disk: Disk) -> None:
    with disk.open(shared=True, fsync="always") as one, disk.open(shared=True, fsync="always") as two:
        one.append("t", n=0)
        for n in range(1, 5):
            two.append("t", n=n)
        disk.cut(disk.path.stat().st_size - 400)
        one.append("t", n=5)
        two.append("t", n=6)
        assert any("were known here" in note for note in two.notes)
    report = verify(disk.path)
    assert report.verdict == "tampered"
    assert [finding.kind for finding in report.findings] == ["documented-damage"]


def test_one_that_appends_little_beside_one_that_appends_much_still_seals(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others write is looked through as fast as they write it."""
    for name, value in (("NEAR", 3000), ("DIGEST_BLOCK", 500)):
        monkeypatch.setattr(f"jsonl_audit.writer.shared.{name}", value)
    monkeypatch.setattr("jsonl_audit.writer.tip.SLICE", 500)
    with disk.open(shared=True, max_bytes=30_000) as one, disk.open(shared=True, max_bytes=10**9) as two:
        for n in range(100):
            two.append_group([{"text": "x" * 300} for _ in range(5)])
            one.append("t", n=n)
    assert max(path.stat().st_size for path in disk.sealed()) < 45_000
    assert len(disk.sealed()) > 5
    assert verify(disk.path, full=True).verdict == "intact"


def test_a_folder_that_cannot_be_synced_costs_no_descriptor(disk: Disk, calls: Calls) -> None:
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        one.append("t", n=0)
        two.append("t", n=1)
        two.rotate()
        before = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        calls.fail("sync_directory", for_ever=True)
        for _ in range(5):
            with pytest.raises(WriteError):
                one.append("refused")
        calls.heal()
        assert before == (len(os.listdir("/proc/self/fd")) if before else 0)
        one.append("t", n=2)
    assert [event["n"] for event in chain(disk).events] == [0, 1, 2]
