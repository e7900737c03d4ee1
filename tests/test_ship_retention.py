"""Retention waits for what was not shipped: `backup_count`, a purge for want of space, one that is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from disk import Disk

from jsonl_audit import NotALogError, NotShippedError, ship, shipped, storage, verify
from jsonl_audit.segment import Names
from jsonl_audit.writer import purge

pytestmark = pytest.mark.usefixtures("quick_disk")


def grown(disk: Disk, there: Path, *, backup_count: int = 1, count: int = 5) -> list[str]:
    """Shipped once; and then so many segments more are sealed. What the log noted."""
    disk.make(1)
    ship(disk.path, there)
    with disk.open(backup_count=backup_count) as log:
        for _ in range(count):
            log.append("t")
            log.rotate()
        return list(log.notes)


def test_without_a_destination_nothing_waits(disk: Disk, tmp_path: Path) -> None:
    disk.make(1)
    with disk.open(backup_count=1) as log:
        for _ in range(3):
            log.rotate()
            log.append("t")
        assert len(disk.sealed()) == 1


def test_backup_count_waits_and_says_so_once_nothing_arrives_for_a_while(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [note for note in grown(disk, tmp_path / "there", count=3) if "arrived at" in note]
    assert len(disk.sealed()) == 3
    monkeypatch.setattr(purge, "LATE", 0)
    with disk.open(backup_count=1) as log:
        for _ in range(2):
            log.append("t")
            log.rotate()
        waiting = [note for note in log.notes if "arrived at" in note]
    assert len(disk.sealed()) == 5
    assert len(waiting) == 1
    assert str(tmp_path / "there") in waiting[0]
    ship(disk.path, tmp_path / "there")
    with disk.open(backup_count=1) as log:
        log.append("t")
        log.rotate()
    assert len(disk.sealed()) == 1
    assert verify(disk.path).verdict == "intact"


def test_it_waits_for_the_slowest_destination(disk: Disk, tmp_path: Path) -> None:
    grown(disk, tmp_path / "slow")
    ship(disk.path, tmp_path / "quick")
    with disk.open() as log, pytest.raises(NotShippedError, match="slow"):
        log.purge(keep=1, reason="old")
    assert len(disk.sealed()) == 5


def test_a_purge_that_somebody_asks_for_is_refused_whole_unless_forced(disk: Disk, tmp_path: Path) -> None:
    grown(disk, tmp_path / "there")
    with disk.open() as log:
        with pytest.raises(NotShippedError, match="Nothing was purged"):
            log.purge(keep=1, reason="old")
        assert len(disk.sealed()) == 5
        assert b'"audit.purged"' not in disk.path.read_bytes()
        assert len(log.purge(keep=1, reason="old", force=True)) == 4
    assert verify(disk.path).verdict == "intact"
    (outcome,) = ship(disk.path, tmp_path / "there")
    assert {problem.kind for problem in outcome.problems} == {"incomplete"}


def test_a_destination_that_is_no_more_is_taken_off_by_removing_its_file(disk: Disk, tmp_path: Path) -> None:
    grown(disk, tmp_path / "there")
    (said,) = shipped.read(Names.of(disk.path))
    os.unlink(said.path)
    with disk.open() as log:
        assert len(log.purge(keep=1, reason="old")) == 4


def test_one_that_does_not_hold_is_not_waited_for(disk: Disk, tmp_path: Path) -> None:
    disk.make(1, 1, 1)
    ship(disk.path, tmp_path / "there", hold=False)
    assert shipped.read(Names.of(disk.path)) == []
    with disk.open() as log:
        log.rotate()
        assert log.purge(keep=1, reason="old")


def test_a_destination_that_was_refused_is_not_waited_for(disk: Disk, tmp_path: Path) -> None:
    disk.make(1, 1, 1)
    there = tmp_path / "there"
    there.mkdir()
    (there / disk.path.name).write_bytes(b"a diary\n")
    with pytest.raises(NotALogError):
        ship(disk.path, there)
    assert shipped.read(Names.of(disk.path)) == []


def test_what_arrived_of_another_log_is_nothing_of_this_one(disk: Disk, tmp_path: Path) -> None:
    disk.make(3, 3)
    ship(disk.path, tmp_path / "there")
    for path in [*disk.sealed(), disk.path, disk.lock]:
        path.unlink()
    disk.make(1, 1, 1)
    with disk.open() as log, pytest.raises(NotShippedError, match="nothing has arrived"):
        log.purge(keep=1, reason="old")


def test_a_file_that_cannot_be_read_as_one_counts_as_nothing_arrived(disk: Disk, tmp_path: Path) -> None:
    disk.make(1, 1, 1)
    ship(disk.path, tmp_path / "there")
    (said,) = shipped.read(Names.of(disk.path))
    Path(said.path).write_bytes(b"{")
    with disk.open() as log, pytest.raises(NotShippedError, match="a destination unknown"):
        log.purge(keep=1, reason="old")
    ship(disk.path, tmp_path / "there")
    with disk.open() as log:
        assert log.purge(keep=1, reason="old")


def test_a_purge_for_want_of_space_lets_nothing_go_that_has_not_arrived(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown(disk, tmp_path / "there", backup_count=0)
    monkeypatch.setattr(storage, "free_space", lambda _: (10, 1000))
    with disk.open(space_left=100, space_left_action="purge") as log:
        assert len(disk.sealed()) == 5
        assert any("arrived at" in note for note in log.notes)
    ship(disk.path, tmp_path / "there")
    with disk.open(space_left=100, space_left_action="purge") as log:
        log.append("t")
    assert len(disk.sealed()) == 1
