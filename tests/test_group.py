"""Threads that wait for the disk go into one commit together, and each hears what became of its own."""

from __future__ import annotations

import errno
import threading
from collections import defaultdict

import pytest
from disk import Calls, Disk, chain

from jsonl_audit import AuditLog, EventTooLargeError, SyncError, WriteError, storage, verify

pytestmark = pytest.mark.usefixtures("quick_disk")


def in_threads(count: int, work: object) -> None:
    """Runs ``work(number)`` in so many threads at once; what one raises, raises here."""
    raised: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if raised:
        raise raised[0]


class Slow:
    """A disk whose next sync waits until it is let go, so that a crowd can gather."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.error: OSError | None = None
        self.syncs = 0
        self._real = storage.sync
        monkeypatch.setattr(storage, "sync", self._sync)

    def _sync(self, fd: int) -> None:
        self.syncs += 1
        if not self.begun.is_set():
            self.begun.set()
            assert self.go.wait(60)
        elif self.error is not None:
            error, self.error = self.error, None
            raise error
        self._real(fd)


def crowd(log: AuditLog, slow: Slow, count: int, work: object) -> None:
    """One thread in the middle of a commit, and `count` that wait for its end."""
    leader = threading.Thread(target=log.append, args=("first",))
    slow.begun.clear()
    slow.go.clear()
    leader.start()
    assert slow.begun.wait(60)
    waiting = log._appender._committers._waiting

    def let_go() -> None:
        while len(waiting) < count:
            threading.Event().wait(0.001)
        slow.go.set()

    helper = threading.Thread(target=let_go)
    helper.start()
    in_threads(count, work)
    leader.join(60)
    helper.join(60)


@pytest.mark.exhaustive
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_hundred_threads_share_syncs_and_lose_nothing(disk: Disk, shared: bool) -> None:
    receipts = defaultdict(list)
    with disk.open(fsync="always", shared=shared, max_bytes=400_000) as log:

        def work(number: int) -> None:
            for n in range(200):
                receipts[number].append(log.append("t", thread=number, n=n))

        in_threads(100, work)
        commits = log._appender._tip.commits
    found = defaultdict(list)
    for event in chain(disk).events:
        found[event["thread"]].append((event["n"], event["seq"], event["hash"]))
    for number in range(100):
        assert found[number] == [(n, receipt.seq, receipt.hash) for n, receipt in enumerate(receipts[number])]
    assert commits < 20_000 / 2
    assert verify(disk.path, full=True).verdict == "intact"


def test_those_who_wait_go_together(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    slow.begun.set()
    with disk.open(fsync="always") as log:
        log.append("warm")
        before = slow.syncs
        crowd(log, slow, 50, lambda number: log.append("t", n=number))
        assert slow.syncs == before + 2
    assert sorted(event["n"] for event in chain(disk).events if event["type"] == "t") == list(range(50))


def test_a_lone_writer_commits_each_event_by_itself(disk: Disk, calls: Calls) -> None:
    with disk.open(fsync="always") as log:
        calls.clear()
        for _ in range(5):
            log.append("t")
        assert calls.count("write") == calls.count("sync") == 5


def test_batches_and_single_events_of_one_commit_stay_what_they_are(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)
    slow.begun.set()
    with disk.open(fsync="always") as log:

        def work(number: int) -> None:
            if number % 2:
                receipts = log.append_many([{"type": "b", "n": number, "i": i} for i in range(3)])
                assert [r.seq for r in receipts] == list(range(receipts[0].seq, receipts[0].seq + 3))
            else:
                log.append("t", n=number)

        crowd(log, slow, 20, work)
    batches = [event for event in chain(disk).events if event["type"] == "b"]
    assert [event["batch"] for event in batches] == [[1, 3], [2, 3], [3, 3]] * 10
    assert [event["i"] for event in batches] == [0, 1, 2] * 10


@pytest.mark.parametrize("call", ["write", "sync"])
def test_the_error_of_a_commit_reaches_everyone_in_it(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    slow = Slow(monkeypatch)
    slow.begun.set()
    errors: list[BaseException] = []
    with disk.open(fsync="always") as log:
        real, first = storage.write, []

        def write(fd: int, data: bytes) -> None:
            if b'"type":"t"' in data and not first:
                first.append(data)
                if call == "write":
                    real(fd, data[:100])
                    raise OSError(errno.ENOSPC, "full")
                slow.error = OSError(errno.EIO, "broken")
            real(fd, data)

        monkeypatch.setattr(storage, "write", write)

        def work(number: int) -> None:
            with pytest.raises(WriteError if call == "write" else SyncError) as caught:
                log.append("t", n=number)
            errors.append(caught.value)

        crowd(log, slow, 30, work)
        assert len({id(error) for error in errors}) == 30
        attempted = [error.attempted for error in errors]  # type: ignore[attr-defined]
        if call == "write":
            assert all(len(receipts) == 1 for receipts in attempted)
            assert log._appender.recorded([receipts[0] for receipts in attempted]) == set()
        else:
            assert set(attempted) == {()}
        log.append("after")
    assert [event["type"] for event in chain(disk).events] == ["first", "after"]


def test_what_of_a_failed_write_is_recorded_all_the_same_is_told(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    with disk.open(fsync="always") as log:
        real = storage.write

        def write(fd: int, data: bytes) -> None:
            monkeypatch.setattr(storage, "write", real)
            real(fd, b"".join(data.splitlines(keepends=True)[:2]) + b"half")
            raise OSError(errno.EIO, "broken")

        monkeypatch.setattr(storage, "write", write)
        with pytest.raises(WriteError) as caught:
            log.append_group([{"n": n} for n in range(4)])
        attempted = caught.value.attempted
        assert len(attempted) == 4
        assert log._appender.recorded(attempted) == {receipt.hash for receipt in attempted[:2]}
        log.append_group([{"n": n} for n in range(2, 4)])
        log.rotate()
        log.append("later")
        assert log._appender.recorded(attempted) == {receipt.hash for receipt in attempted[:2]}
    assert [event.get("n") for event in chain(disk).events] == [0, 1, 2, 3, None]


def test_a_batch_that_is_too_large_is_refused_alone(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    slow.begun.set()
    monkeypatch.setattr("jsonl_audit.record.BATCH_LIMIT", 2000)
    with disk.open(fsync="always") as log:

        def work(number: int) -> None:
            if number == 3:
                with pytest.raises(EventTooLargeError):
                    log.append_many([{"text": "x" * 1500}, {"text": "x" * 1500}])
            else:
                log.append("t", n=number)

        crowd(log, slow, 10, work)
    assert len([event for event in chain(disk).events if event["type"] == "t"]) == 9


def test_a_segment_that_ends_within_a_commit_keeps_what_was_told(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first part is written and synced, the second fails: the first is acknowledged."""
    slow = Slow(monkeypatch)
    slow.begun.set()
    recorded, refused = [], []
    with disk.open(fsync="always", max_bytes=5000) as log:
        real, writes = storage.write, []

        def write(fd: int, data: bytes) -> None:
            if b'"type":"t"' in data:
                writes.append(data)
                if len(writes) == 2:
                    raise OSError(errno.ENOSPC, "full")
            real(fd, data)

        monkeypatch.setattr(storage, "write", write)

        def work(number: int) -> None:
            try:
                recorded.append(log.append("t", n=number, text="x" * 300).hash)
            except WriteError:
                refused.append(number)

        crowd(log, slow, 12, work)
        assert len(writes) == 2
    assert refused
    assert {event["hash"] for event in chain(disk).events if event["type"] == "t"} == set(recorded)
    assert len(recorded) + len(refused) == 12


def test_a_closed_log_refuses_everyone_who_waits(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    log = disk.open(fsync="always")
    log.close()
    with pytest.raises(ValueError, match="closed"):
        log.append("t")
