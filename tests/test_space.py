"""Free space: what is done before the disk is full, and what the log's figures say."""

from __future__ import annotations

import errno
import gc
import logging
import weakref
from typing import Any

import pytest
from disk import Calls, Disk, chain, until_well

from jsonl_audit import DroppedReceipt, Stats, StorageError, storage, verify
from jsonl_audit.writer import policy, space

pytestmark = pytest.mark.usefixtures("quick_disk")

TOTAL = 1_000_000


class Free:
    """How much is free, as a test says."""

    def __init__(self) -> None:
        self.bytes = TOTAL
        self.asked = 0

    def __call__(self, _: str) -> tuple[int, int]:
        self.asked += 1
        return self.bytes, TOTAL


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Free:
    made = Free()
    monkeypatch.setattr(storage, "free_space", made)
    monkeypatch.setattr(space, "EVERY", 0)
    monkeypatch.setattr(policy, "TRY_EVERY", 0.001)
    from jsonl_audit.writer import tip

    monkeypatch.setattr(tip, "WATCH", 0)
    return made


def said(log: Any) -> list[str]:
    return [note for note in log.notes if "bytes are free" in note]


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (0, 0), (500, 500), ("500", 500), ("500B", 500), ("5%", 50_000), ("0.5 %", 5_000), ("1KB", 1000),
        ("1kB", 1000), ("1KiB", 1024), ("1.5MiB", 3 * 2**19), ("2GB", 2 * 10**9), ("1TiB", 2**40),
    ],
)  # fmt: skip
def test_amounts_of_space(given: int | str, size: int) -> None:
    assert space.Threshold("space_left", given, "warn").size(TOTAL) == size


@pytest.mark.parametrize(
    "options",
    [
        {"space_left": -1},
        {"space_left": 1.5},
        {"space_left": True},
        {"space_left": "many"},
        {"space_left": "101%"},
        {"space_left": "-5%"},
        {"admin_space_left": "5 XB"},
        {"space_left_action": "halt"},
        {"admin_space_left_action": None},
        {"space_left_action": "exec"},
        {"on_space": print},
        {"on_space": 5, "space_left_action": "exec"},
    ],
    ids=str,
)
def test_thresholds_that_make_no_sense_are_refused(disk: Disk, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="space"):
        disk.open(**options)
    assert not list(disk.folder.iterdir())


def test_a_warning_once_for_each_crossing_without_flutter(
    disk: Disk, free: Free, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "jsonl_audit"), disk.open(space_left=1000) as log:
        for left, count in ((5000, 0), (999, 1), (999, 1), (1050, 1), (990, 1), (1101, 2), (1001, 2), (10, 3)):
            free.bytes = left
            log.append("t")
            assert len(said(log)) == count, left
    assert caplog.text.count("less than space_left (1000)") == 2
    assert caplog.text.count("more than space_left (1000) again") == 1


def test_a_log_warns_by_default_and_not_at_all_if_told_so(disk: Disk, free: Free) -> None:
    with disk.open() as log:
        assert said(log)  # the whole disk has less than 64 MiB
    asked = free.asked
    with disk.open(space_left=None) as log:
        log.append("t")
    with disk.open(space_left=10**9, space_left_action="ignore") as log:
        log.append("t")
        assert not said(log)
    assert free.asked == asked


def test_a_call_back_may_do_what_it_likes(disk: Disk, free: Free) -> None:
    got: list[tuple[str, int, int]] = []

    def on_space(path: str, left: int, threshold: int) -> None:
        got.append((path, left, threshold))
        log.append("disk.filling", left=left)
        log.rotate()

    log = disk.open(space_left="1%", space_left_action="exec", on_space=on_space)
    free.bytes = 9_999
    log.append("t")
    log.append("t")
    log.close()
    assert got == [(str(disk.path), 9_999, 10_000)]
    assert [record["type"] for record in chain(disk).events] == ["t", "disk.filling", "t"]


def test_a_call_back_that_fails_is_noted(disk: Disk, free: Free) -> None:
    def on_space(*_: object) -> None:
        raise ZeroDivisionError("oh")

    with disk.open(space_left=1000, space_left_action="exec", on_space=on_space) as log:
        free.bytes = 1
        assert log.append("t").recorded
        assert any("ZeroDivisionError" in note for note in log.notes)


def test_rotate_seals_once(disk: Disk, free: Free) -> None:
    with disk.open(space_left=1000, space_left_action="rotate") as log:
        log.append("t")
        free.bytes = 1
        for _ in range(3):
            log.append("t")
    assert len(disk.sealed()) == 1


def test_purge_lets_the_oldest_go_until_enough_is_free(
    disk: Disk, free: Free, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.make(2, 2, 2, 2, 2, 2)
    oldest = disk.sealed()[0].name
    real = storage.unlink

    def unlink(path: str) -> None:
        real(path)
        free.bytes += 400

    monkeypatch.setattr(storage, "unlink", unlink)
    with disk.open(space_left=1000, space_left_action="purge") as log:
        assert len(disk.sealed()) == 5
        free.bytes = 500
        log.append("t")
        assert len(disk.sealed()) == 3
        assert any("purged" in note for note in log.notes)
        free.bytes = 0
        log.append("t")
        assert len(disk.sealed()) == 1  # the newest stays, whatever happens
    assert oldest not in disk.names()
    report = verify(disk.path, full=True)
    assert report.verdict == "intact"
    records = [record for path in [*disk.sealed(), disk.path] for record in disk.lines(path)]
    assert b"less than 1000 bytes were free" in b"".join(records)


@pytest.mark.parametrize("mode", ["raise", "drop", "block", "spill"])
def test_shed_leaves_out_what_is_of_little_importance_and_says_so(
    disk: Disk, free: Free, mode: str, tmp_path: Any
) -> None:
    options = {"spill_path": tmp_path / "elsewhere"} if mode == "spill" else {}
    log = disk.open(space_left=1000, space_left_action="shed", on_error=mode, **options)
    free.bytes = 10
    log.append("t", n=0)  # behind which is looked
    for level in ("debug", "INFO", "trace", 10, 20):
        assert isinstance(log.append("t", n=-1, level=level), DroppedReceipt)
    for level in ("warning", "ERROR", 30, True, None, ["info"]):
        assert log.append("t", n=1, level=level).recorded
    assert log.append("auth.connect.success", n=2).recorded
    assert isinstance(log.append("tool.call", details={"tool": "bash"}), DroppedReceipt)
    assert len(log.append_many([{"n": 3, "level": "info"}, {"n": 4, "level": "error"}])) == 2
    assert [type(each) for each in log.append_group([{"level": "info"}] * 2)] == [DroppedReceipt] * 2
    assert log.stats().lost == 8
    assert not chain(disk).lost
    free.bytes = TOTAL
    assert log.append("t", n=5, level="info").recorded
    log.append("t", n=6)
    until_well(log)
    log.close()
    assert [record["n"] for record in chain(disk).events] == [0, *[1] * 6, 2, 3, 4, 5, 6]
    [lost] = chain(disk).lost
    assert (lost["why"], lost["count"]) == ("shed", 8)


def test_what_was_left_out_is_told_at_the_end_too(disk: Disk, free: Free) -> None:
    free.bytes = 10
    log = disk.open(space_left=1000, space_left_action="shed")
    log.append("t", level="debug")
    log.close()
    assert chain(disk).lost[0]["count"] == 1


def test_suspend_fails_closed_and_goes_on_by_itself(disk: Disk, free: Free) -> None:
    log = disk.open(admin_space_left=1000, space_left=2000)
    free.bytes = 10
    log.append("t", n=0)
    for _ in range(3):
        with pytest.raises(StorageError, match="suspended") as caught:
            log.append("t", n=-1)
        assert caught.value.errno == errno.ENOSPC
    with pytest.raises(StorageError, match="suspended"):
        log.append_many([{"n": -1}] * 2)
    free.bytes = TOTAL
    assert log.append("t", n=1).recorded
    until_well(log)
    log.close()
    assert [record["n"] for record in chain(disk).events] == [0, 1]


def test_suspend_goes_through_the_policy(disk: Disk, free: Free, tmp_path: Any) -> None:
    log = disk.open(admin_space_left=1000, on_error="spill", spill_path=tmp_path / "elsewhere")
    free.bytes = 10
    log.append("t", n=0)
    assert not log.append("t", n=1).recorded
    log.flush()
    assert log.stats().held == 1
    free.bytes = TOTAL
    log.flush()
    assert log.append("t", n=2).recorded
    log.close()
    assert [record["n"] for record in chain(disk).events] == [0, 1, 2]


def test_suspend_drops_where_that_is_the_policy(disk: Disk, free: Free) -> None:
    free.bytes = 10
    log = disk.open(admin_space_left=1000, on_error="drop")
    assert isinstance(log.append("t", n=1), DroppedReceipt)
    free.bytes = TOTAL
    log.flush()
    log.append("t", n=2)
    log.close()
    assert [record["n"] for record in chain(disk).events] == [2]
    assert chain(disk).lost[0]["count"] == 1


def test_space_is_looked_at_now_and_then_only(disk: Disk, free: Free, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "EVERY", 3600 * 10**9)
    with disk.open() as log:
        asked = free.asked
        for _ in range(50):
            log.append("t")
        assert free.asked == asked
        log._policy.space._next_bytes = 0  # as if 16 MiB had been appended
        log.append("t")
        log.append("t")
        assert free.asked == asked + 1


def test_what_looks_after_a_log_does_not_keep_it(disk: Disk) -> None:
    log = disk.open()
    appender = weakref.ref(log._appender)
    del log
    gc.collect()
    assert appender() is None


def test_where_free_space_cannot_be_known_appending_goes_on(disk: Disk, calls: Calls, monkeypatch: Any) -> None:
    def fails(_: str) -> tuple[int, int]:
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(storage, "free_space", fails)
    with disk.open(admin_space_left="50%") as log:
        assert log.append("t").recorded


# -- figures


def test_figures_of_what_was_done(disk: Disk) -> None:
    with disk.open(fsync="always") as log:
        assert log.stats() == Stats(syncs=log.stats().syncs)
        log.append("t")
        log.append_many([{}, {}])
        log.append_group([{}, {}, {}])
        log.rotate()
        found = log.stats()
        assert (found.appended, found.commits, found.mean_group, found.rotations) == (6, 3, 2.0, 1)
        assert found.syncs >= 3
        assert found.bytes == sum(len(line) for line in disk.lines(disk.sealed()[0])[1:])
        assert (found.last_error, found.lost, found.held, found.spilled, found.delayed) == (None, 0, 0, 0, 0)
    assert log.stats().appended == 6


@pytest.mark.parametrize("fsync", ["interval", "never"])
def test_figures_of_single_events(disk: Disk, fsync: str) -> None:
    with disk.open(fsync=fsync, max_bytes=1000) as log:
        for _ in range(10):
            log.append("t")
        found = log.stats()
    assert (found.appended, found.commits) == (10, 10)
    assert found.rotations == len(disk.sealed())


def test_figures_of_trouble(disk: Disk, calls: Calls, tmp_path: Any) -> None:
    with disk.open(on_error="spill", spill_path=tmp_path / "elsewhere") as log:
        calls.fail("write", error=errno.ENOSPC, about=f"{disk.folder}/", for_ever=True)
        log.append("t")
        log.append("t")
        found = log.stats()
        assert (found.spilled, found.held) == (2, 2)
        assert found.last_error is not None
        assert "No space" in found.last_error
        assert found.last_error_at is not None
        assert found.last_error_at.endswith("Z")
        calls.heal()
        log.flush()
        assert (log.stats().spilled, log.stats().held) == (2, 0)
