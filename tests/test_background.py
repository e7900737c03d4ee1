"""The background sync of the interval mode goes on, and what it met is told."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from jsonl_audit import AuditLog, SyncError, WriteError, mark, storage


def until(condition: object, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    synced: list[int] = []
    sync = storage.sync

    def recording(fd: int) -> None:
        sync(fd)
        synced.append(os.fstat(fd).st_size)

    monkeypatch.setattr(storage, "sync", recording)
    return synced


def test_it_is_tried_again_where_no_descriptor_was_free(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AuditLog(log_dir / "audit.jsonl", fsync="interval", sync_interval=0.02) as log:
        synced = counted(monkeypatch)
        dup, refused = os.dup, []

        def none_free(fd: int) -> int:
            if not refused:
                refused.append(fd)
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return dup(fd)

        monkeypatch.setattr(storage, "duplicate", none_free)
        log.append("a.b")
        until(lambda: synced)
        assert refused


def test_what_was_acknowledged_is_synced_also_after_a_write_that_failed(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log_dir / "audit.jsonl"
    with AuditLog(path, fsync="interval", sync_interval=0.2) as log:
        synced = counted(monkeypatch)
        log.append("a.b")
        size = path.stat().st_size
        with monkeypatch.context() as full:
            full.setattr(storage, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
            with pytest.raises(WriteError):
                log.append("a.c")
        until(lambda: size in synced)


def test_flush_tells_of_a_background_sync_that_failed(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AuditLog(log_dir / "audit.jsonl", fsync="interval", sync_interval=0.02) as log:
        asked: list[int] = []
        with monkeypatch.context() as broken:

            def fails(fd: int) -> None:
                asked.append(fd)
                raise OSError(errno.EIO, os.strerror(errno.EIO))

            broken.setattr(storage, "sync", fails)
            log.append("a.b")
            until(lambda: asked)
            time.sleep(0.05)
        with pytest.raises(SyncError, match="earlier sync failed"):
            log.flush()
        log.append("a.c")
        log.flush()
        assert [record["details"]["count"] for record in log.query(type="audit.lost")] == [1]


def test_the_mark_of_the_last_commit_does_not_wait_for_another(log_dir: Path) -> None:
    """Between two bursts of events, what was acknowledged last is known to be on disk too."""
    path = log_dir / "audit.jsonl"
    with AuditLog(path, fsync="always") as log:
        for _ in range(3):
            receipt = log.append("t")
        deadline = time.monotonic() + 60
        while (left := mark.read(f"{path}.lock")) is None or left.hash != receipt.hash:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert left.synced == path.stat().st_size
