"""Appending: what lies on the disk afterwards, with which permissions, in how many writes, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk, chain, holders

import jsonl_audit
from jsonl_audit import (
    AuditLog,
    ClosedError,
    EventError,
    EventTooLargeError,
    LogError,
    NewerFormatError,
    NotALogError,
    ReservedTypeError,
    StorageError,
    WriteError,
    mark,
    record,
    storage,
)
from jsonl_audit.errors import AuditError

pytestmark = pytest.mark.usefixtures("quick_disk")

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run(script: str, *args: Any, **how: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL, **how
    )


# -- what lies on the disk


def test_a_receipt_says_what_lies_on_the_disk(disk: Disk) -> None:
    with disk.open() as log:
        receipts = [log.append({"type": "a.b", "n": n}) for n in range(3)]
        receipts.append(log.append("a.b", n=3))
        receipts.append(log.log({"n": 4}, type="a.c"))
        assert log.write == log.log == log.append
        receipts += log.append_many([{"n": 5}, {"n": 6, "id": "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"}])
        assert (log.last_seq, log.head) == (receipts[-1].seq, receipts[-1].hash)
    found = chain(disk).events
    assert [(r.seq, r.ts, r.id, r.hash) for r in receipts] == [(r["seq"], r["ts"], r["id"], r["hash"]) for r in found]
    assert [r["n"] for r in found] == [0, 1, 2, 3, 4, 5, 6]
    assert [r["type"] for r in found] == ["a.b"] * 4 + ["a.c", "custom", "custom"]


def test_a_receipt_is_on_disk_before_append_returns(disk: Disk) -> None:
    with disk.open() as log:
        for n in range(5):
            receipt = log.append("t", n=n)
            assert json.loads(disk.lines()[-1])["hash"] == receipt.hash


def test_the_log_goes_on_where_it_ended(disk: Disk) -> None:
    heads: list[tuple[int, str]] = []
    for _ in range(4):
        with disk.open() as log:
            if heads:
                assert (log.last_seq, log.head) == heads[-1]
            log.append("t")
            heads.append((log.last_seq, log.head))
        assert (log.last_seq, log.head) == heads[-1]
    assert len(chain(disk).events) == 4
    assert not disk.sealed()


def test_real_events_come_back_equal(disk: Disk, cloudtrail: list[dict[str, Any]]) -> None:
    with disk.open(max_bytes=64 * 1024, line_limit=2**20, redact=None) as log:
        for event in cloudtrail[:300]:
            log.append("cloudtrail", details=event)
    assert [r["details"] for r in chain(disk).events] == cloudtrail[:300]
    assert len(disk.sealed()) > 3


# -- permissions


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_files_are_0600_and_new_folders_0700_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        path = tmp_path / "new" / "newer" / "audit.jsonl"
        with AuditLog(path, fsync="never") as log:
            log.append("t")
            log.rotate()
            log.append("t")
    finally:
        os.umask(before)
    assert {permissions(file) for file in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 3
    assert permissions(tmp_path / "new") == permissions(tmp_path / "new" / "newer") == 0o700


def test_another_mode_is_taken_exactly(disk: Disk) -> None:
    before = os.umask(0o077)
    try:
        with disk.open(mode=0o640) as log:
            log.append("t")
            log.rotate()
    finally:
        os.umask(before)
    assert {permissions(file) for file in disk.folder.iterdir()} == {0o640}


def test_a_folder_that_is_there_keeps_its_mode(disk: Disk) -> None:
    disk.folder.chmod(0o755)
    disk.make(1)
    assert permissions(disk.folder) == 0o755


# -- writes and syncs


def test_every_write_lands_at_the_end_whoever_else_writes(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags, *rest: opened.append((path, flags)) or real(path, flags, *rest))
    disk.make(1)
    flags = [flags for path, flags in opened if str(path) in (str(disk.path), str(disk.next)) and flags & os.O_RDWR]
    assert flags
    assert all(flag & os.O_APPEND for flag in flags)


def test_one_commit_is_one_write(disk: Disk, calls: Calls) -> None:
    with disk.open() as log:
        calls.clear()
        log.append("t")
        assert calls.count("write") == 1
        log.append_many([{"n": n} for n in range(1000)])
        assert calls.count("write") == 2
        log.append_group([{"n": n} for n in range(1000)])
        assert calls.count("write") == 3


@pytest.mark.parametrize("most", [1, 2, 7, 100, 4096])
def test_a_short_write_is_completed(disk: Disk, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    real, real_at = os.write, os.pwrite
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:most])))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real_at(fd, bytes(data[:most]), offset))
    with disk.open(max_bytes=3000) as log:
        for n in range(5):
            log.append("t", n=n)
        log.append_many([{"n": n} for n in range(5, 8)])
    monkeypatch.undo()
    assert [r["n"] for r in chain(disk).events] == list(range(8))
    assert mark.read(str(disk.lock)) is not None


def test_always_means_a_sync_for_each_commit(disk: Disk, calls: Calls) -> None:
    with disk.open(fsync="always") as log:
        calls.clear()
        for _ in range(3):
            log.append("t")
        log.append_many([{}, {}, {}])
        log.append_group([{}, {}, {}])
        assert calls.count("sync") == 5
        log.flush()
    assert calls.count("sync") == 5


def test_always_means_the_name_of_the_file_too(disk: Disk, calls: Calls) -> None:
    disk.open(fsync="always").close()
    made = [name for name, _ in calls.made if name in ("write", "sync", "replace", "sync_directory")]
    above = made.index("write")
    assert [args[0] for name, args in calls.made if name == "sync_directory"][:above] == [
        str(path) for path in disk.folder.parents
    ], "whoever made them may not have come to that"
    assert made[above:] == [
        "write",
        "sync",
        "sync_directory",
        "replace",
        "sync_directory",
    ]
    calls.clear()
    with disk.open(fsync="always") as log:
        assert calls.count("sync_directory") == 1
        log.append("t")


def test_never_means_no_sync_until_it_is_closed(disk: Disk, calls: Calls) -> None:
    with disk.open(fsync="never") as log:
        calls.clear()
        for _ in range(20):
            log.append("t")
        assert calls.count("sync") == 0
        log.flush()
        assert calls.count("sync") == 1
        log.append("t")
    assert calls.count("sync") == 2


def test_interval_means_a_sync_within_the_interval(disk: Disk, calls: Calls) -> None:
    synced = threading.Event()
    calls.after = lambda name, *_: synced.set() if name == "sync" else None
    with disk.open(fsync="interval", sync_interval=0.2) as log:
        for _ in range(3):
            synced.clear()
            started = time.monotonic()
            log.append("t")
            assert synced.wait(2)
            assert time.monotonic() - started < 0.2 + 0.5  # a loaded machine is late
        calls.clear()
        log.append("t")
    assert calls.count("sync") == 1


def test_interval_syncs_many_commits_at_once(disk: Disk, calls: Calls) -> None:
    with disk.open(fsync="interval", sync_interval=30) as log:
        calls.clear()
        for _ in range(200):
            log.append("t")
        assert calls.count("sync") == 0
        log.flush()
        assert calls.count("sync") == 1


AT_EXIT = """
import sys
from jsonl_audit import AuditLog, storage
real = storage.sync
log = AuditLog(sys.argv[1], fsync=sys.argv[2], sync_interval=60)
storage.sync = lambda fd: (real(fd), print("synced", flush=True))
log.append("t")
print("leaving", flush=True)
"""


@pytest.mark.parametrize("fsync", ["interval", "never"])
def test_a_program_that_ends_without_closing_syncs_and_lets_go(disk: Disk, fsync: str) -> None:
    done = run(AT_EXIT, disk.path, fsync)
    assert (done.stdout.split(), done.stderr, done.returncode) == (["leaving", "synced"], "", 0)
    calls_of_opening = disk.lock.read_bytes()
    assert b'"synced":%d,' % disk.path.stat().st_size in calls_of_opening
    with disk.open() as log:
        assert not log.notes
    assert len(chain(disk).events) == 1


def test_a_log_that_is_forgotten_syncs_and_lets_go(disk: Disk) -> None:
    for fsync in ("never", "interval", "always"):
        log = disk.open(fsync=fsync, sync_interval=60)
        log.append("t")
        gone = weakref.ref(log)
        del log
        assert gone() is None
        assert not holders(disk.path)
    with disk.open() as log:
        assert not log.notes


# -- append_many


def test_append_many_is_a_batch(disk: Disk) -> None:
    with disk.open() as log:
        receipts = log.append_many({"type": "t", "n": n} for n in range(3))
    assert [r["batch"] for r in chain(disk).events] == [[1, 3], [2, 3], [3, 3]]
    assert [r.hash for r in receipts] == [r["hash"] for r in chain(disk).events]


def test_append_many_of_nothing_writes_nothing(disk: Disk) -> None:
    with disk.open() as log:
        before = disk.content()
        assert log.append_many([]) == []
        assert log.append_many(iter(())) == []
        assert log.append_group([]) == []
        assert disk.content() == before


def test_one_event_alone_is_no_batch(disk: Disk) -> None:
    with disk.open() as log:
        (receipt,) = log.append_many([{"type": "t"}])
    assert [r["hash"] for r in chain(disk).events] == [receipt.hash]
    assert "batch" not in chain(disk).events[0]


@pytest.mark.parametrize("many", ["append_many", "append_group"])
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ({"type": "no name"}, EventError),
        ({"type": "audit.x"}, ReservedTypeError),
        ({"x": "y" * 40_000}, EventTooLargeError),
        (5, EventError),
        (None, EventError),
        ([], EventError),
    ],
    ids=["type", "reserved", "large", "number", "none", "list"],
)
def test_an_event_refused_in_the_middle_leaves_nothing(disk: Disk, many: str, bad: Any, error: type[Exception]) -> None:
    with disk.open(artifacts=False) as log:
        log.append("t", n=0)
        before = disk.content()
        with pytest.raises(error, match="event 3"):
            getattr(log, many)([{"n": 1}, {"n": 2}, bad, {"n": 3}])
        assert disk.content() == before
        log.append("t", n=9)
    assert [r["n"] for r in chain(disk).events] == [0, 9]


def test_a_generator_that_fails_in_the_middle_leaves_nothing(disk: Disk) -> None:
    def events() -> Iterator[dict[str, Any]]:
        yield {"n": 1}
        raise KeyError("the caller's own")

    with disk.open() as log:
        before = disk.content()
        with pytest.raises(KeyError, match="own"):
            log.append_many(events())
        assert disk.content() == before
        log.append("t")
    assert len(chain(disk).events) == 1


def test_a_batch_past_16_mib_is_refused_and_leaves_nothing(disk: Disk) -> None:
    with disk.open() as log:
        before = disk.content()
        with pytest.raises(EventTooLargeError, match="batch"):
            log.append_many([{"x": "y" * 32_000}] * 530)
        assert disk.content() == before
        assert len(log.append_group([{"x": "y" * 32_000}] * 530)) == 530
    assert len(chain(disk).events) == 530


@pytest.mark.parametrize("events", [{"type": "t"}, "abc", b"abc", 5, None], ids=repr)
def test_what_is_no_list_of_events_is_a_mistake_of_the_program(disk: Disk, events: Any) -> None:
    with disk.open() as log:
        before = disk.content()
        for many in (log.append_many, log.append_group):
            with pytest.raises(TypeError):
                many(events)
        assert disk.content() == before


@pytest.mark.parametrize("event", [5, None, [], [("a", 1)], b"t", object()], ids=lambda event: type(event).__name__)
def test_what_is_no_event_is_refused(disk: Disk, event: Any) -> None:
    with disk.open() as log:
        before = disk.content()
        with pytest.raises(EventError, match="mapping"):
            log.append(event)
        with pytest.raises(EventError):
            log.append("t", type="u")
        assert disk.content() == before


def test_an_event_may_be_any_mapping(disk: Disk) -> None:
    class Odd(dict[str, Any]):
        pass

    class Fails(dict[str, Any]):
        def keys(self) -> Any:
            raise RuntimeError("no keys")

        __iter__ = keys

    with disk.open() as log:
        log.append(Odd(type="t", n=1))
        log.append(Odd(type="t"), n=2)
        log.append("t", event=1, self=2, members=3)
        for members in ({}, {"n": 1}):
            with pytest.raises(EventError):
                log.append(Fails(type="t"), **members)
    assert [r.get("n") for r in chain(disk).events] == [1, 2, None]
    assert chain(disk).events[2]["event"] == 1


# -- closing


def test_a_closed_log_says_so(disk: Disk) -> None:
    with disk.open() as log:
        log.append("t")
    log.close()
    for use in (lambda: log.append("t"), lambda: log.append_many([{}]), log.flush, log.rotate):
        with pytest.raises(ClosedError, match="closed"):
            use()
    assert log.last_seq == 2
    assert not holders(disk.path)
    assert "closed" in repr(log)
    with pytest.raises(ClosedError), log:
        log.append("t")


def test_leaving_by_an_error_closes_too(disk: Disk) -> None:
    def work() -> None:
        with disk.open() as log:
            log.append("t")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert not holders(disk.path)
    assert len(chain(disk).events) == 1


# -- threads


def test_closing_while_threads_append_stops_them_and_loses_nothing(disk: Disk) -> None:
    hashes: list[list[str]] = [[] for _ in range(4)]
    log = disk.open(max_bytes=5000)
    ended: list[str] = []

    def work(mine: list[str]) -> None:
        try:
            while True:
                mine.append(log.append("t").hash)
        except ClosedError:
            ended.append("closed")

    threads = [threading.Thread(target=work, args=(mine,)) for mine in hashes]
    for thread in threads:
        thread.start()
    while not all(hashes):
        time.sleep(0.001)
    log.close()
    for thread in threads:
        thread.join()
    assert ended == ["closed"] * 4
    assert sorted(r["hash"] for r in chain(disk).events) == sorted(own for mine in hashes for own in mine)


@pytest.mark.parametrize("fsync", ["never", "interval", "always"])
def test_threads_share_a_log(disk: Disk, fsync: str) -> None:
    each = 200 if fsync != "always" else 40
    receipts: list[list[Any]] = [[] for _ in range(8)]
    with disk.open(fsync=fsync, sync_interval=0.01, max_bytes=40_000) as log:

        def work(thread: int) -> None:
            for n in range(each):
                if n % 10 == 9:
                    receipts[thread] += log.append_many([{"thread": thread, "n": n}, {"thread": thread, "n": n}])
                else:
                    receipts[thread].append(log.append("t", thread=thread, n=n))

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = chain(disk).events
    assert len(found) == 8 * each * 11 // 10
    for thread, mine in enumerate(receipts):
        own = [r for r in found if r["thread"] == thread]
        assert [r["hash"] for r in own] == [r.hash for r in mine]
        assert [r["n"] for r in own] == sorted(r["n"] for r in own)


def test_a_signal_handler_in_the_middle_of_a_commit_is_refused_and_does_no_harm(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for ever for the call that it interrupted."""
    told: list[str] = []
    log = disk.open()

    def handler(*_: Any) -> None:
        for use in (lambda: log.append("h"), lambda: log.append_many([{}, {}]), log.flush, log.rotate, log.close):
            with pytest.raises(WriteError, match="signal handler"):
                use()
            told.append("refused")

    before = signal.signal(signal.SIGUSR1, handler)
    real = storage.write

    def write(fd: int, data: bytes) -> None:
        signal.raise_signal(signal.SIGUSR1)
        real(fd, data)
        signal.raise_signal(signal.SIGUSR1)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(storage, "write", write)
            log.append("t", n=1)
            log.append_many([{"n": 2}, {"n": 3}])
        log.append("t", n=4)
    finally:
        signal.signal(signal.SIGUSR1, before)
        log.close()
    assert len(told) == 2 * 2 * 5
    assert [r["n"] for r in chain(disk).events] == [1, 2, 3, 4]


def test_where_no_thread_can_be_had_the_interval_is_kept_by_syncing_at_once(
    disk: Disk, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with disk.open(fsync="interval") as log:
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none)
            log.append("t")
            log.append("t")
        assert calls.count("sync") == 2
        log.append("t")
        assert calls.count("sync") == 2


# -- paths


@pytest.mark.parametrize(
    ("name", "sealed_like"),
    [
        ("audit.jsonl", r"audit\.\d{8}T\d{12}Z\.jsonl"),
        ("audit", r"audit\.\d{8}T\d{12}Z"),
        (".audit", r"\.audit\.\d{8}T\d{12}Z"),
        ("audit.", r"audit\.\.\d{8}T\d{12}Z"),
        (".audit.log", r"\.audit\.\d{8}T\d{12}Z\.log"),
        ("a.b.c.jsonl", r"a\.b\.c\.\d{8}T\d{12}Z\.jsonl"),
        ("Prüf protokoll.jsonl", r"Prüf protokoll\.\d{8}T\d{12}Z\.jsonl"),
        ("[x]*?.jsonl", r"\[x\]\*\?\.\d{8}T\d{12}Z\.jsonl"),
        ("日志.jsonl", r"日志\.\d{8}T\d{12}Z\.jsonl"),
        ("-n.jsonl", r"-n\.\d{8}T\d{12}Z\.jsonl"),
        ("a\nb.jsonl", r"a\nb\.\d{8}T\d{12}Z\.jsonl"),
    ],
)
def test_a_log_may_have_any_name(log_dir: Path, name: str, sealed_like: str) -> None:
    import re

    with AuditLog(log_dir / name, fsync="never") as log:
        log.append("t", n=1)
        sealed = log.rotate()
        log.append("t", n=2)
    assert sealed is not None
    assert re.fullmatch(sealed_like, Path(sealed).name)
    assert {path.name for path in log_dir.iterdir()} == {name, name + ".lock", Path(sealed).name}
    with AuditLog(log_dir / name, fsync="never") as log:
        assert not log.notes
        log.append("t", n=3)


def test_names_of_sibling_logs_are_not_mixed_up(log_dir: Path) -> None:
    disks = [Disk(log_dir, name) for name in ("audit.jsonl", "audit.prod.jsonl", "audit", "audit.jsonl.jsonl")]
    for disk in disks:
        disk.make(2, 2, 2)
    for disk in disks:
        assert len(chain(disk).events) == 6


def test_home_and_relative_paths_and_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with AuditLog("~/one/audit.jsonl", fsync="never") as log:
        assert log.path == str(tmp_path / "one" / "audit.jsonl")
    with AuditLog("two.jsonl", fsync="never") as log:
        monkeypatch.chdir("/")
        log.append("t")
        log.rotate()
        log.append("t")
    assert len(list(tmp_path.glob("two.*"))) == 3


def test_a_symlink_is_resolved_once(tmp_path: Path) -> None:
    real, other = tmp_path / "real", tmp_path / "other"
    real.mkdir()
    other.mkdir()
    link = tmp_path / "link.jsonl"
    link.symlink_to(real / "audit.jsonl")
    with AuditLog(link, fsync="never") as log:
        log.append("t", n=1)
        link.unlink()
        link.symlink_to(other / "audit.jsonl")
        log.append("t", n=2)
        log.rotate()
        log.append("t", n=3)
    assert [r["n"] for r in chain(Disk(real)).events] == [1, 2, 3]
    assert not list(other.iterdir())
    folder = tmp_path / "folder"
    folder.symlink_to(real)
    with AuditLog(folder / "audit.jsonl", fsync="never") as log:
        log.append("t", n=4)
    assert len(chain(Disk(real)).events) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_a_path_that_no_header_can_hold_is_refused_before_anything_is_made(log_dir: Path) -> None:
    with pytest.raises(LogError, match="UTF-8"):
        AuditLog(os.fsencode(log_dir).decode() + "/\udcff.jsonl")
    assert not list(log_dir.iterdir())


def test_an_odd_command_line_keeps_no_log_from_opening(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    for argv in ([], [""], ["/bin/\udcff"], ["ä" * 500, "x"]):
        monkeypatch.setattr(sys, "argv", argv)
        disk.open().close()
    disk.make(1)
    assert len(chain(disk).events) == 1


@pytest.mark.parametrize(
    "name",
    [
        "audit.20261121T101112123456Z.jsonl",
        "audit.20261121T101112123456Z",
        "a.20261121T101112123456Z.jsonl.gz",
        "a.20261121T101112123456Z.zst",
    ],
)
def test_the_name_of_a_sealed_segment_is_no_logs_own(log_dir: Path, name: str) -> None:
    with pytest.raises(LogError, match="sealed"):
        AuditLog(log_dir / name)
    assert not list(log_dir.iterdir())


@pytest.mark.parametrize("name", ["audit.gz", "audit.jsonl.zst", "audit.jsonl.lock", "audit.jsonl.next"])
def test_the_name_of_what_lies_beside_a_log_is_no_logs_own(log_dir: Path, name: str) -> None:
    with pytest.raises(LogError, match="beside a log"):
        AuditLog(log_dir / name)
    assert not list(log_dir.iterdir())


@pytest.mark.parametrize("path", ["", "a\0b", "/", b"audit.jsonl"])
def test_what_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(LogError):
        AuditLog(path)


@pytest.mark.parametrize("path", [None, 5, 1.5, object()])
def test_what_is_not_even_a_path_is_a_mistake_of_the_program(path: Any) -> None:
    with pytest.raises(TypeError):
        AuditLog(path)


@pytest.mark.parametrize(
    "options",
    [
        {"fsync": "sometimes"},
        {"fsync": None},
        {"max_bytes": -1},
        {"max_bytes": 1.5},
        {"max_bytes": True},
        {"max_bytes": "1M"},
        {"sync_interval": 0},
        {"sync_interval": -1},
        {"sync_interval": float("nan")},
        {"sync_interval": float("inf")},
        {"sync_interval": "1"},
        {"lock_timeout": -1},
        {"lock_timeout": "x"},
        {"line_limit": 10},
        {"line_limit": 2**30},
        {"line_limit": "x"},
        {"on_error": "ignore"},
        {"error_timeout": -1},
        {"spill_path": "elsewhere"},
        {"redact": "some"},
        {"redact": True},
        {"validate": "no"},
        {"validate": None},
        {"artifacts": "yes"},
        {"mode": "600"},
        {"nonsense": 1},
        {"mode": None},
    ],
    ids=str,
)
def test_a_wrong_option_is_a_mistake_of_the_program(disk: Disk, options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        disk.open(**options)
    assert not isinstance(caught.value, AuditError)
    assert not list(disk.folder.iterdir())


# -- what is there already


def refused(disk: Disk, error: type[Exception], match: str = ": ", path: Path | None = None) -> AuditError:
    """Opening is refused, and nothing is changed or made."""
    before = {(p, p.lstat().st_mtime_ns, p.lstat().st_size) for p in sorted(disk.folder.rglob("*"))}
    with pytest.raises(error, match=match) as caught:
        AuditLog(path or disk.path)
    assert {(p, p.lstat().st_mtime_ns, p.lstat().st_size) for p in sorted(disk.folder.rglob("*"))} == before
    assert isinstance(caught.value, AuditError)
    assert str(disk.folder) in str(caught.value)
    return caught.value


HEADER = (
    b'{"seq":1,"ts":"2026-11-21T10:11:12.123456Z","id":"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","type":"audit.segment",'
    b'"details":{"format":%d,"log":"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c","segment":1,"writer":"x","previous":null},'
    b'"prev":"%b"'
)


def header(version: int = 1) -> bytes:
    hashed = HEADER % (version, b"0" * 64)
    return hashed + b',"hash":"%b"}\n' % record.hash_of(hashed + b"x" * 76).encode()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b'{"level":"info","msg":"of another program"}\n' * 50, "JSON"),
        (b'{"seq":1}\n', "JSON"),
        (b"hello\nworld\n", "not a log"),
        (b"\x1f\x8b\x08\x00" + bytes(range(256)), "gzip"),
        (b"\x28\xb5\x2f\xfd" + bytes(range(256)), "zstd"),
        (bytes(range(256)) * 40, "not a log"),
        (b"\n", "not a log"),
        (b"\0" * 5000, "not a log"),
        (b"x" * 100_000, "not a log"),
        (b"[" * 20_000_000, "not a log"),
        (header()[:-1], "header"),
        (header().replace(b'"segment":1', b'"segment":2'), "header"),
        (header().replace(b"\n", b"\r\n"), "header"),
        (b"\xef\xbb\xbf" + header(), "not a log"),
    ],
    ids=[
        "jsonl",
        "json",
        "text",
        "gzip",
        "zstd",
        "binary",
        "blank",
        "nul",
        "long line",
        "20 MB line",
        "no LF",
        "changed",
        "crlf",
        "bom",
    ],
)
def test_a_file_that_is_no_log_is_refused_and_untouched(disk: Disk, content: bytes, word: str) -> None:
    disk.path.write_bytes(content)
    error = refused(disk, NotALogError, word)
    assert error.line == 1


def test_a_log_of_a_newer_format_is_refused_and_untouched(disk: Disk) -> None:
    disk.path.write_bytes(header(2))
    error = refused(disk, NewerFormatError, "newer")
    assert (error.expected, error.actual) == (1, 2)
    disk.path.write_bytes(header(1))
    with disk.open() as log:
        assert log.last_seq == 1


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full", "/dev/zero"])
def test_a_device_is_refused_and_untouched(device: str) -> None:
    if not os.path.exists(device):
        pytest.skip(f"no {device} here")
    before = set(os.listdir("/dev"))
    mode = os.stat(device).st_mode
    with pytest.raises(StorageError, match=f"{device}.*not a regular file"):
        AuditLog(device)
    assert set(os.listdir("/dev")) == before
    assert os.stat(device).st_mode == mode


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_pipe_is_refused_without_waiting(disk: Disk) -> None:
    os.mkfifo(disk.path)
    refused(disk, StorageError, "not a regular file")


def test_a_folder_is_refused(disk: Disk) -> None:
    disk.path.mkdir()
    refused(disk, AuditError, "directory")
    refused(disk, AuditError, "directory", Path(f"{disk.folder}{os.sep}"))


def test_a_name_that_ends_in_a_slash_is_no_file(disk: Disk) -> None:
    with pytest.raises(LogError, match="directory"):
        AuditLog(f"{disk.folder}{os.sep}new{os.sep}")
    assert not disk.names()


def test_a_parent_that_is_a_file_is_refused(disk: Disk) -> None:
    (disk.folder / "file").write_text("x")
    for path in (disk.folder / "file" / "audit.jsonl", disk.folder / "file" / "a" / "audit.jsonl"):
        error = refused(disk, StorageError, "Not a directory", path)
        assert error.path == str(disk.folder / "file")


def test_a_loop_of_symlinks_is_refused(disk: Disk) -> None:
    (disk.folder / "a").symlink_to("b")
    (disk.folder / "b").symlink_to("a")
    with pytest.raises(AuditError):
        AuditLog(disk.folder / "a" / "audit.jsonl")
    with pytest.raises(AuditError):
        AuditLog(disk.folder / "a")
    assert disk.names() == {"a", "b"}


@pytest.mark.parametrize("precious", [b"precious\n" * 400, b"precious", b""])
@pytest.mark.parametrize("name", ["lock", "next"])
def test_the_files_beside_the_log_lead_nowhere_else(disk: Disk, name: str, precious: bytes) -> None:
    """A symlink that a stranger put there would have the writer write over any file of its user."""
    victim = disk.folder / "victim"
    victim.write_bytes(precious)
    getattr(disk, name).symlink_to(victim)
    with pytest.raises(StorageError, match=getattr(disk, name).name):
        disk.open()
    assert victim.read_bytes() == precious


def test_a_name_too_long_is_refused_before_anything_is_made(disk: Disk) -> None:
    for length in (300, 255, 240):
        refused(disk, AuditError, path=disk.folder / ("x" * (length - 6) + ".jsonl"))
    longest = Disk(disk.folder, "x" * (255 - 27 - 6) + ".jsonl").make(1, 1)
    assert len(chain(longest).events) == 2


@pytest.mark.parametrize("name", ["lock", "next"])
def test_a_folder_in_the_place_of_a_file_beside_the_log(disk: Disk, name: str) -> None:
    getattr(disk, name).mkdir()
    with pytest.raises(StorageError):
        disk.open()
    assert getattr(disk, name).is_dir()
    assert not disk.path.exists()


@pytest.mark.skipif(ROOT, reason="root may do everything")
def test_a_folder_that_may_not_be_written_is_named(disk: Disk) -> None:
    disk.folder.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="denied"):
            disk.open()
    finally:
        disk.folder.chmod(0o700)
    assert not disk.names()


@pytest.mark.parametrize(
    "call", ["make_directory", "open_lock", "open_append", "write", "sync", "replace", "overwrite"]
)
@pytest.mark.parametrize("number", [13, 28, 30, 5], ids=["denied", "no space", "read-only", "i/o error"])
def test_whatever_fails_while_a_log_is_made_is_told(disk: Disk, calls: Calls, call: str, number: int) -> None:
    path = disk.folder / "new" / "audit.jsonl"
    calls.fail(call, error=number, for_ever=True)
    with pytest.raises(StorageError) as caught:
        AuditLog(path)
    assert caught.value.errno == number
    assert os.strerror(number) in str(caught.value)
    assert str(path.parent) in str(caught.value)
    calls.heal()
    with AuditLog(path) as log:
        log.append("t")
    assert len(chain(Disk(path.parent)).events) == 1


def test_an_empty_file_counts_as_missing(disk: Disk) -> None:
    disk.path.touch()
    disk.make(1)
    assert len(chain(disk).events) == 1


def test_importing_the_log_needs_no_lock_library() -> None:
    assert jsonl_audit.AuditLog is AuditLog
    assert storage.boot_id() == storage.boot_id()
