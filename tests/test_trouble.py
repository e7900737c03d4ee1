"""Trouble as it comes, not simulated: folders that go, read-only disks, no descriptors, file size limits, exits."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Disk, chain, until_well

from jsonl_audit import AuditLog, StorageError, verify
from jsonl_audit.writer import policy

pytestmark = [pytest.mark.usefixtures("quick_disk"), pytest.mark.exhaustive]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "TRY_EVERY", 0.01)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere"


def spilling(disk: Disk, elsewhere: Path, **options: Any) -> AuditLog:
    return disk.open(on_error="spill", spill_path=elsewhere, **options)


def numbers(disk: Disk) -> list[int]:
    return [record["n"] for record in chain(disk).events]


def run(code: str, *args: object, expect: int = 0) -> str:
    """Runs a program; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == expect, done.stderr
    return done.stdout


def test_a_folder_that_cannot_be_reached_for_a_while(disk: Disk, elsewhere: Path) -> None:
    away = disk.folder.with_name("away")
    log = spilling(disk, elsewhere, shared=True)
    log.append("t", n=0)
    disk.folder.rename(away)
    disk.folder.write_text("a file in its place")
    for n in (1, 2):
        assert not log.append("t", n=n).recorded
    disk.folder.unlink()
    away.rename(disk.folder)
    log.flush()
    assert log.append("t", n=3).recorded
    log.close()
    assert numbers(disk) == [0, 1, 2, 3]
    assert verify(disk.path, full=True).verdict == "intact"


def test_a_log_that_was_removed_goes_on_and_takes_what_was_held(disk: Disk, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere)
    log.append("t", n=0)
    shutil.rmtree(disk.folder)
    disk.folder.write_text("a file in its place")
    log._appender._tip.watched = 0
    assert not log.append("t", n=1).recorded
    disk.folder.unlink()
    log.flush()
    log.append("t", n=2)
    log.close()
    lines = disk.path.read_bytes()
    assert lines.count(b'"n":1') == lines.count(b'"n":2') == 1


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("mode", ["raise", "drop", "spill"])
def test_a_disk_that_becomes_read_only(small: Path, elsewhere: Path, mode: str) -> None:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(small)], check=True, stdin=subprocess.DEVNULL)

    (small / "log").mkdir()
    disk = Disk(small / "log")
    code = """
import sys
from jsonl_audit import AuditLog, StorageError
options = {"spill_path": sys.argv[3]} if sys.argv[2] == "spill" else {}
try:
    log = AuditLog(sys.argv[1], on_error=sys.argv[2], fsync="never", shared=True, **options)
except StorageError as error:
    print(error.errno)
    sys.exit()
print("open")
"""
    with disk.open() as log:
        log.append("t", n=0)
    remount("ro")
    import errno

    assert run(code, disk.path, mode, elsewhere).strip() == str(errno.EROFS)
    remount("rw")
    assert run(code, disk.path, mode, elsewhere).strip() == "open"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits of the system")
def test_no_descriptor_is_left(disk: Disk, elsewhere: Path) -> None:
    code = """
import os, resource, sys
from jsonl_audit import AuditLog, reader
log = AuditLog(sys.argv[1], on_error="spill", spill_path=sys.argv[2], max_bytes=2000, fsync="never")
log.append("t", n=0)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
taken = []
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
told = []
for n in range(1, 60):
    try:
        told.append(log.append("t", n=n, text="x" * 100).recorded)
    except OSError:
        told.append(None)
for fd in taken:
    os.close(fd)
log.flush()
log.append("t", n=60)
log.close()
print([n + 1 for n, each in enumerate(told) if each is None])
"""
    refused = set(eval(run(code, disk.path, elsewhere)))  # noqa: S307 - a list of numbers, our own
    there = numbers(disk)
    assert there == sorted(there)
    assert set(range(61)) - refused <= set(there)
    assert len(set(there)) == len(there)
    assert verify(disk.path, full=True).verdict == "intact"


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no such limit here")
def test_a_limit_of_the_files_size(disk: Disk, elsewhere: Path) -> None:
    code = """
import resource, signal, sys
from jsonl_audit import AuditLog, StorageError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
log = AuditLog(sys.argv[1], on_error="spill", spill_path=sys.argv[2], max_bytes=None, fsync="never")
for n in range(100):
    log.append("t", n=n, text="x" * 500)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.flush()
log.append("t", n=100)
log.close()
"""
    run(code, disk.path, elsewhere)
    there = numbers(disk)
    assert there == list(range(101))
    assert verify(disk.path, full=True).verdict == "intact"


FAILING = """
import errno, os, sys
from jsonl_audit import AuditLog, storage
folder = os.path.dirname(sys.argv[1]) + os.sep
real, broken = storage.write, [False]
def write(fd, data):
    if broken[0] and os.readlink(f"/proc/self/fd/{fd}").startswith(folder):
        raise OSError(errno.ENOSPC, "no space")
    return real(fd, data)
storage.write = write
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="what a descriptor stands for cannot be known here")
@pytest.mark.parametrize("mode", ["spill", "drop"])
@pytest.mark.parametrize("healed", [False, True], ids=["still broken", "healed"])
def test_a_program_that_ends_without_closing(disk: Disk, elsewhere: Path, mode: str, healed: bool) -> None:
    code = f"""{FAILING}
options = {{"spill_path": sys.argv[2]}} if sys.argv[3] == "spill" else {{}}
log = AuditLog(sys.argv[1], on_error=sys.argv[3], fsync="never", **options)
log.append("t", n=0)
broken[0] = True
log.append("t", n=1)
log.append("t", n=2)
broken[0] = not {healed}
"""
    run(code, disk.path, elsewhere, mode)
    if mode == "spill":
        if healed:
            assert numbers(disk) == [0, 1, 2]
        with spilling(disk, elsewhere):
            pass
        assert numbers(disk) == [0, 1, 2]
    else:
        assert numbers(disk) == [0]
        assert [lost["count"] for lost in chain(disk).lost] == ([2] if healed else [])


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="what a descriptor stands for cannot be known here")
def test_processes_that_share_a_log_hold_for_themselves(disk: Disk, elsewhere: Path) -> None:
    code = f"""{FAILING}
import random, time
number = int(sys.argv[3])
log = AuditLog(sys.argv[1], on_error="spill", spill_path=sys.argv[2], fsync="never", shared=True, max_bytes=20_000)
for n in range(200):
    broken[0] = random.random() < 0.3 if n % 10 == 0 else broken[0]
    log.append("t", process=number, n=n)
broken[0] = False
if number % 2:
    os._exit(0)
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(disk.path), str(elsewhere), str(number)], stdin=subprocess.DEVNULL
        )
        for number in range(4)
    ]
    assert [child.wait() for child in children] == [0] * 4
    with spilling(disk, elsewhere, shared=True) as log:
        until_well(log)
    events = chain(disk).events
    for number in range(4):
        assert [record["n"] for record in events if record["process"] == number] == list(range(200))
    assert not [path for path in elsewhere.rglob("*") if path.is_file()]
    assert verify(disk.path, full=True).verdict == "intact"


def test_a_lock_that_somebody_keeps_is_trouble_like_any_other(disk: Disk, elsewhere: Path) -> None:
    from jsonl_audit import storage

    log = spilling(disk, elsewhere, shared=True, lock_timeout=0.01)
    log.append("t", n=0)
    fd = storage.open_lock(str(disk.lock))
    assert storage.lock(fd)
    assert not log.append("t", n=1).recorded
    storage.close(fd)
    log.flush()
    assert log.append("t", n=2).recorded
    log.close()
    assert numbers(disk) == [0, 1, 2]


def test_without_a_spill_place_to_be_had_the_error_names_both(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / "no folder").touch()
    with disk.open(on_error="spill", spill_path=tmp_path / "no folder" / "in here") as log:
        away = disk.folder.with_name("away")
        disk.folder.rename(away)
        disk.folder.touch()
        log._appender._tip.watched = 0
        with pytest.raises(StorageError, match="neither to the log") as caught:
            log.append("t", n=1)
        assert "no folder" in str(caught.value)
        disk.folder.unlink()
        away.rename(disk.folder)
        log.flush()
        log.append("t", n=2)
    assert [lost["why"] for lost in chain(disk).lost] == ["not-spilled"]
