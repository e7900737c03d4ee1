"""The doctor looks at the files of a log: whose they are, what lies beside them, what the log says of itself."""

from __future__ import annotations

import ast
import errno
import gzip
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk
from hypothesis import example, given, settings
from hypothesis import strategies as st
from patients import Patient, as_root, patient, quiet_machine, sh

from jsonl_audit import AuditError, AuditLog, StorageError, diagnose, ship, verify
from jsonl_audit.doctor import clock as clocks
from jsonl_audit.doctor import rotation
from jsonl_audit.doctor.diagnosis import LEVELS
from jsonl_audit.doctor.lines import LIMITS
from jsonl_audit.segment import Names
from jsonl_audit.writer.spillplace import SpillPlace

__all__ = ["patient", "quiet_machine"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
THIS_MACHINE = {"clock-not-synchronised", "cleaned-up", "in-memory", "container-layer", "network", "disk-nearly-full"}
"""What may be so wherever the tests run."""


def write(path: Path, *counts: int, **options: Any) -> list[Path]:
    """A log with so many records in each segment; the sealed ones."""
    return Disk(path.parent, path.name).make(*counts, **{"fsync": "always", **options}).sealed()


@pytest.fixture(autouse=True)
def _quick(quick_disk: None) -> None:
    """Nobody cuts the power."""


def test_a_log_that_is_well_gets_no_remark(patient: Patient) -> None:
    write(patient.path, 3, 3)
    found = patient.diagnosed(probe=True, full=True)
    assert {remark.kind for remark in found.troubles} <= THIS_MACHINE | {"sync-too-quick"}
    assert {"files", "permissions", "owner", "links", "logrotate", "leftovers", "locks"} <= {
        remark.check for remark in found.remarks if remark.level == "ok"
    }
    assert sorted(os.listdir(patient.path.parent)) == sorted(
        [patient.path.name, f"{patient.path.name}.lock", write_name(patient)]
    )


def write_name(patient: Patient) -> str:
    [sealed] = patient.path.parent.glob("audit.2*.jsonl")
    return sealed.name


def test_nothing_is_changed_by_looking(patient: Patient) -> None:
    write(patient.path, 3, 3)
    before = {path: (path.read_bytes(), path.stat()[:9]) for path in patient.path.parent.iterdir()}
    folder = patient.path.parent.stat().st_mtime_ns
    patient.diagnosed(full=True)
    after = {path: (path.read_bytes(), path.stat()[:9]) for path in patient.path.parent.iterdir()}
    assert {path: (data, seen[:7]) for path, (data, seen) in after.items()} == {
        path: (data, seen[:7]) for path, (data, seen) in before.items()
    }
    assert patient.path.parent.stat().st_mtime_ns == folder


def test_the_worst_comes_first_and_the_status_says_whether_there_is_a_problem(patient: Patient) -> None:
    write(patient.path, 1)
    assert patient.diagnosed().exit_code == 0 or THIS_MACHINE & set(patient.kinds())
    patient.path.chmod(0o666)
    found = patient.diagnosed()
    levels = [LEVELS.index(remark.level) for remark in found.remarks]
    assert levels == sorted(levels, reverse=True)
    assert (found.level, found.ok, found.exit_code) == ("problem", False, 1)


def test_a_path_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such log"):
        diagnose(tmp_path / "audit.jsonl")
    with pytest.raises(StorageError, match="no such log"):
        diagnose(tmp_path / "no" / "audit.jsonl")


# -- permissions, owner, folder


@pytest.mark.parametrize(
    ("mode", "kind", "level"),
    [(0o644, "readable-by-others", "warning"), (0o640, "readable-by-others", "warning"),
     (0o622, "writable-by-others", "problem"), (0o666, "writable-by-others", "problem")],
)  # fmt: skip
def test_a_file_that_others_may_use_is_closed_to_them(patient: Patient, mode: int, kind: str, level: str) -> None:
    sealed = write(patient.path, 2, 2)
    for path in (patient.path, *sealed):
        path.chmod(mode)
    sealed[0].chmod(mode & 0o477)  # sealed ones may be read-only, and stay so
    assert patient.mended(kind).level == level
    assert stat.S_IMODE(patient.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(sealed[0].stat().st_mode) == 0o400


def test_a_mode_that_the_log_tells_is_its_own_decision(patient: Patient) -> None:
    write(patient.path, 2, mode=0o640)
    assert "readable-by-others" not in patient.kinds()
    patient.path.chmod(0o644)
    assert patient.mended("readable-by-others")
    assert stat.S_IMODE(patient.path.stat().st_mode) == 0o640


def test_many_files_are_closed_by_one_command(patient: Patient) -> None:
    [sealed] = write(patient.path, 2, 2)
    for n in range(60):
        copy = sealed.with_name(f"audit.20200101T0000{n:02d}000000Z.jsonl")
        shutil.copy(sealed, copy)
        copy.chmod(0o644)
    patient.path.chmod(0o644)
    assert len(patient.mended("readable-by-others").command) < 600


def test_an_active_file_that_its_owner_may_not_write_is_opened(patient: Patient) -> None:
    write(patient.path, 1)
    patient.path.chmod(0o400)
    patient.mended("owner-cannot-write")


def test_a_name_may_hold_anything_and_the_command_still_mends(log_dir: Path, patient: Patient) -> None:
    folder = log_dir / "a b'c\n[d]"
    folder.mkdir(mode=0o700)
    patient.path = folder / "it's $(x) %s*.jsonl"
    sealed = write(patient.path, 1, 1)
    for path in (patient.path, *sealed):
        path.chmod(0o644)
    remark = patient.mended("readable-by-others")
    assert remark.command.isprintable()
    os.link(patient.path, folder / "a\nok: all is well [permissions]")
    assert "\nok: all is well" not in patient.diagnosed().text()
    patient.mended("hard-linked")


def test_a_folder_that_anybody_may_change_is_closed(patient: Patient) -> None:
    write(patient.path, 1)
    patient.path.parent.chmod(0o777)
    assert patient.mended("folder-open").level == "problem"
    patient.path.parent.chmod(0o1777)
    assert patient.mended("folder-open").level == "warning"
    patient.path.parent.parent.chmod(0o707)
    assert patient.mended("folder-open").level == "problem"


@as_root
def test_a_file_of_another_owner_gets_the_logs_owner(patient: Patient) -> None:
    sealed = write(patient.path, 1, 1)
    for path in (patient.path.parent, patient.path, *sealed):
        os.chown(path, 65534, -1)
    assert patient.mended("several-owners").level == "problem"
    assert patient.path.with_name("audit.jsonl.lock").stat().st_uid == 65534


@as_root
def test_an_owner_without_a_name_is_told(patient: Patient) -> None:
    write(patient.path, 1)
    for path in (patient.path.parent, *patient.path.parent.iterdir()):
        os.chown(path, 54321, -1)
    assert "user 54321" in patient.remark("nameless-owner").message


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs the lists of Linux")
def test_an_access_control_list_beside_the_mode_is_told(patient: Patient) -> None:
    write(patient.path, 1)
    entries = [(1, 6, -1), (2, 4, 54321), (4, 0, -1), (0x10, 4, -1), (0x20, 0, -1)]
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(patient.path, "system.posix_acl_access", packed)
    except OSError:
        pytest.skip("this file system has no lists")
    assert patient.remark("access-list").command == f"setfacl -b -- {patient.path}"


@as_root
def test_an_owner_who_may_not_make_files_in_the_folder_is_let(patient: Patient) -> None:
    write(patient.path, 1)
    for path in patient.path.parent.iterdir():
        os.chown(path, 65534, -1)
    patient.mended("folder-not-writable")
    patient.path.parent.chmod(0o500)
    patient.mended("folder-not-writable")


@pytest.mark.exhaustive
@as_root
def test_who_may_not_read_the_log_is_told_whose_it_is(patient: Patient) -> None:
    write(patient.path, 1)
    code = (
        f"import os, sys; sys.path.insert(0, {str(Path(__file__).resolve().parent.parent)!r})\n"
        "from jsonl_audit import diagnose\n"
        "diagnose(sys.argv[1], probe=True)\n"  # loads what that user may not read
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(*[f'{each.kind}:{each.command}' for each in diagnose(sys.argv[1], probe=True).troubles], sep='\\n')"
    )
    for folder in (patient.path.parent, *patient.path.parents[1:-2]):
        folder.chmod(0o755)
    run = subprocess.run([sys.executable, "-c", code, patient.path], capture_output=True, text=True)
    assert "not-readable-here:sudo -u root jsonl-audit doctor" in run.stdout, run.stderr
    assert "not-tried:" in run.stdout


@as_root
@pytest.mark.skipif(not shutil.which("chattr"), reason="there is no chattr")
@pytest.mark.parametrize(("letter", "kind"), [("i", "immutable"), ("a", "append-only")])
def test_an_attribute_that_forbids_sealing_is_taken_away(patient: Patient, letter: str, kind: str) -> None:
    write(patient.path, 1)
    if subprocess.run(["chattr", f"+{letter}", patient.path], capture_output=True).returncode:
        pytest.skip("this file system has no attributes")
    try:
        patient.mended(kind)
    finally:
        subprocess.run(["chattr", f"-{letter}", patient.path], capture_output=True)


@as_root
@pytest.mark.skipif(not shutil.which("chattr"), reason="there is no chattr")
def test_sealed_segments_may_be_immutable_unless_they_are_to_go(patient: Patient) -> None:
    [sealed] = write(patient.path, 1, 1)
    if subprocess.run(["chattr", "+i", sealed], capture_output=True).returncode:
        pytest.skip("this file system has no attributes")
    try:
        assert not {"immutable", "kept-from-purge"} & set(patient.kinds())
        write(patient.path, 1, backup_count=3)
        patient.mended("kept-from-purge")
    finally:
        subprocess.run(["chattr", "-i", sealed], capture_output=True)


# -- links


def test_another_name_of_the_active_file_gets_a_file_of_its_own(patient: Patient) -> None:
    write(patient.path, 2)
    other = patient.path.with_name("backup of it.jsonl")
    os.link(patient.path, other)
    inode = patient.path.stat().st_ino
    patient.mended("hard-linked")
    assert other.read_bytes() == patient.path.read_bytes()
    assert patient.path.stat().st_ino == inode  # a writer may have it open


def test_a_symlink_to_the_log_is_told_and_where_the_log_is(patient: Patient, tmp_path: Path) -> None:
    write(patient.path, 1)
    link = tmp_path / "link.jsonl"
    link.symlink_to(patient.path)
    remark = Patient(link, patient.rules).remark("named-by-a-link")
    assert remark.command.endswith(f"jsonl-audit doctor {patient.path}")
    assert "named-by-a-link" not in patient.kinds()


def test_a_symlink_in_the_place_of_the_lock_is_removed(patient: Patient) -> None:
    write(patient.path, 1)
    lock = patient.path.with_name("audit.jsonl.lock")
    lock.rename(patient.path.with_name("elsewhere"))
    lock.symlink_to("elsewhere")
    assert patient.mended("own-file-a-link").level == "problem"


@pytest.mark.parametrize("name", ["audit.jsonl.lock", "audit.jsonl.next"])
def test_what_is_no_file_where_one_belongs_is_moved_away(patient: Patient, name: str) -> None:
    write(patient.path, 1)
    path = patient.path.with_name(name)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    patient.mended("own-file-no-file")
    path.mkdir()
    patient.path.with_name(f"{name}.not-of-the-log").unlink()
    patient.mended("own-file-no-file")


@pytest.mark.parametrize("cut", [False, True], ids=["renamed", "copied and cut"])
def test_an_active_file_that_was_taken_away_gets_its_name_back_while_nobody_holds_the_log(
    patient: Patient, cut: bool
) -> None:
    write(patient.path, 1, 1)
    content = patient.path.read_bytes()
    patient.path.rename(patient.path.with_name("audit.jsonl.1"))
    if cut:
        patient.path.touch()
    patient.mended("segment-renamed")
    assert patient.path.read_bytes() == content
    assert verify(patient.path).verdict == "intact"


def test_a_sealed_segment_that_is_a_symlink_becomes_a_file(patient: Patient, tmp_path: Path) -> None:
    [sealed] = write(patient.path, 1, 1)
    away = shutil.move(sealed, tmp_path / "away")
    sealed.symlink_to(away)
    assert patient.mended("segment-a-link").level == "warning"
    assert sealed.read_bytes() == Path(away).read_bytes()
    sealed.unlink()
    sealed.symlink_to(tmp_path / "nowhere")
    assert patient.remark("segment-a-link").level == "problem"


# -- what the log says of itself


@pytest.mark.parametrize(
    ("given", "kind"),
    [({"fsync": "never"}, "never-synced"), ({"fsync": "interval"}, "synced-later"),
     ({"accessed": None}, "reads-not-recorded"),
     ({"on_error": "drop"}, "events-dropped"), ({"redact": None}, "not-redacted"),
     ({"line_limit": 1 << 20}, "long-lines-allowed"), ({"max_bytes": None}, "never-sealed"),
     ({"max_bytes": 6 << 30}, "segments-too-large"), ({"artifacts": False, "line_limit": 1 << 20}, "no-artifacts")],
)  # fmt: skip
def test_a_setting_is_named_with_what_to_set_in_its_place(patient: Patient, given: dict[str, Any], kind: str) -> None:
    write(patient.path, 1, **given)
    remark = patient.remark(kind)
    name, _, value = remark.setting.partition("=")
    better = {**given, name: eval(value, {})}  # noqa: S307 - the doctor's own word is what is tested
    write(patient.path, 1, **better)
    assert kind not in patient.kinds()


def test_a_log_that_keeps_more_than_the_disk_has_is_told(patient: Patient) -> None:
    write(patient.path, 1, backup_count=10**6, max_bytes=1 << 30)
    remark = patient.remark("keeps-too-much")
    write(patient.path, 1, backup_count=int(remark.setting.partition("=")[2]), max_bytes=1 << 30)
    assert "keeps-too-much" not in patient.kinds()


def test_segments_that_are_full_in_seconds_are_to_be_larger(patient: Patient) -> None:
    write(patient.path, 100, max_bytes=4096)
    remark = patient.remark("sealed-too-often")
    assert int(remark.setting.partition("=")[2]) > 4096 * 60


@pytest.mark.exhaustive
def test_segments_that_last_for_months_are_told(patient: Patient) -> None:
    for path, day in zip(write(patient.path, 3, 3, 3, 3), (1, 9, 17), strict=True):
        path.rename(path.with_name(f"audit.202601{day:02d}T000000000000Z.jsonl"))
    assert patient.remark("sealed-seldom").facts["days"] > 1000
    assert sh(patient.remark("sealed-seldom").command)


def test_very_many_segments_are_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    write(patient.path, 1, 1, 1, 1, 1)
    monkeypatch.setattr(rotation, "_MANY", 4)
    assert "many-segments" not in patient.kinds()
    monkeypatch.setattr(rotation, "_MANY", 3)
    assert patient.remark("many-segments").facts["sealed"] == 4


def test_long_lines_are_counted_and_the_longest_is_named(patient: Patient) -> None:
    write(patient.path, 2)
    with AuditLog(patient.path, line_limit=1 << 20, fsync="never") as log:
        log.append("big.one", text="x" * 40_000)
        big = log.append("big.two", text="x" * 90_000)
        log.append("big.none", text="x" * 32_000)
        log.rotate()
    remark = patient.remark("long-lines")
    assert remark.facts == {"lines": 2, "control": 0, "longest": remark.facts["longest"], "seq": big.seq}
    assert 90_000 < remark.facts["longest"] < 90_500
    assert [name in remark.reason for name in ("rsyslog", "Fluent Bit", "syslog-ng", "Vector")] == [True] * 3 + [False]


def test_the_limits_of_shippers_stand_in_the_docs() -> None:
    page = (DOCS / "howto" / "doctor.md").read_text("utf-8")
    for name, limit in LIMITS.items():
        size = f"{limit // 2**20} MiB" if limit >= 2**20 else f"{limit // 2**10} KiB"
        assert re.search(rf"^\| {re.escape(name)} \| {size} \|", page, re.MULTILINE), name


# -- the clock


def test_a_log_that_is_ahead_of_the_clock_is_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    write(patient.path, 1)
    now = time.time_ns()
    monkeypatch.setattr(clocks.time, "time_ns", lambda: now - 7200 * 10**9)
    assert {"log-ahead-of-clock", "file-ahead-of-clock"} <= set(patient.kinds())
    assert patient.remark("log-ahead-of-clock").level == "problem"
    assert patient.remark("log-ahead-of-clock").facts["ahead"] > 7000
    monkeypatch.setattr(clocks.time, "time_ns", lambda: now - 10 * 10**9)
    assert patient.remark("log-ahead-of-clock").level == "warning"
    monkeypatch.setattr(clocks.time, "time_ns", lambda: 10**15)
    assert patient.remark("clock-in-the-past").level == "problem"


def test_records_that_the_clock_stepped_back_over_are_counted(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with AuditLog(patient.path, fsync="never") as log:
        log.append("a.b", details={"clock": "mine"})
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() - 60 * 10**9)
        log.append("a.b")
        last = log.append("a.b")
        monkeypatch.undo()
    assert diagnose_facts(patient, "clock-stepped-back") == {"records": 2, "seq": last.seq}


def diagnose_facts(patient: Patient, kind: str) -> dict[str, Any]:
    [facts] = [remark.facts for remark in diagnose(patient.path).remarks if remark.kind == kind]
    return facts


# -- what is missing, and what is left


@pytest.mark.exhaustive
def test_an_interrupted_sealing_is_ended_by_opening(patient: Patient) -> None:
    write(patient.path, 1, 0)
    patient.path.rename(patient.path.with_name("audit.jsonl.next"))
    assert patient.mended("active-missing").level == "remark"
    assert verify(patient.path).verdict == "intact"


def test_an_active_file_that_is_gone_is_a_problem(patient: Patient) -> None:
    write(patient.path, 1, 1)
    data = patient.path.read_bytes()
    patient.path.unlink()
    assert patient.remark("active-missing").level == "problem"
    patient.path.write_bytes(b"")
    assert "empty" in patient.remark("active-missing").message
    patient.path.write_bytes(b"x" + data)
    assert patient.remark("header-missing").level == "problem"


def test_a_next_that_nobody_waits_for_is_removed_under_the_lock(patient: Patient) -> None:
    write(patient.path, 1)
    waiting = patient.path.with_name("audit.jsonl.next")
    waiting.write_bytes(patient.path.read_bytes().split(b"\n")[0] + b"\n")
    assert patient.mended("next-left").level == "remark"
    waiting.write_bytes(patient.path.read_bytes())
    assert patient.mended("next-left").level == "problem"
    assert patient.path.with_name("audit.jsonl.next.kept").exists()


def test_a_segment_that_was_renamed_gets_its_own_name_back(patient: Patient) -> None:
    first, _ = write(patient.path, 2, 2, 2)
    first.rename(patient.path.with_name("audit.jsonl.2"))
    assert verify(patient.path).verdict == "incomplete"
    patient.mended("segment-renamed")
    assert verify(patient.path).verdict == "intact"


def test_a_segment_that_was_renamed_and_packed_gets_its_own_name_back(patient: Patient) -> None:
    first, _ = write(patient.path, 2, 2, 2)
    patient.path.with_name("audit.jsonl.2.gz").write_bytes(gzip.compress(first.read_bytes()))
    first.unlink()
    patient.mended("segment-renamed")
    assert verify(patient.path).verdict == "intact"


def test_what_copytruncate_copied_goes_back_to_where_it_was_cut(patient: Patient) -> None:
    with AuditLog(patient.path) as log:
        for _ in range(5):
            log.append("a.b")
        shutil.copy(patient.path, f"{patient.path}.1")
        os.truncate(patient.path, 0)
        log.rotate()
        log.append("a.b")
    assert verify(patient.path).verdict == "tampered"
    patient.mended("segment-cut")
    assert verify(patient.path).verdict == "intact"


def test_a_piece_that_is_not_what_was_sealed_is_not_put_in_its_place(patient: Patient) -> None:
    first, _ = write(patient.path, 2, 2, 2)
    cut = patient.path.with_name("audit.jsonl.2")
    cut.write_bytes(first.read_bytes()[:-300])
    first.unlink()
    assert patient.remark("segment-unlike").command.startswith("jsonl-audit verify")
    packed = cut.with_name("audit.jsonl.2.gz")
    packed.write_bytes(gzip.compress(cut.read_bytes())[:-20])
    cut.unlink()
    assert patient.remark("segment-unlike").level == "problem"


def test_a_piece_of_a_segment_is_kept_and_looked_at(patient: Patient) -> None:
    write(patient.path, 3)
    lines = patient.path.read_bytes().splitlines(keepends=True)
    patient.path.with_name("audit.jsonl.1").write_bytes(b"".join(lines[2:]))
    remark = patient.remark("records-elsewhere")
    assert remark.facts == {"seq": 3}
    assert remark.command == f"jsonl-audit verify --copy {patient.path.parent}"


def test_a_copy_that_was_not_finished_is_removed_under_the_lock(patient: Patient) -> None:
    first, _ = write(patient.path, 2, 2, 2)
    part = first.with_name(f"{first.name}.part")
    part.write_bytes(first.read_bytes()[:-300])
    with AuditLog(patient.path), pytest.raises(AssertionError, match="flock"):
        sh(patient.remark("copy-unfinished").command)
    patient.mended("copy-unfinished")


def test_a_copy_that_says_no_more_than_the_log_may_go(patient: Patient) -> None:
    [sealed] = write(patient.path, 2, 2)
    shutil.copy(patient.path, f"{patient.path}.bak")
    patient.mended("segment-copy")
    shutil.copy(sealed, patient.path.with_name("audit-20261121.jsonl"))
    patient.mended("segment-copy")
    older = patient.path.with_name("audit.jsonl.1")
    older.write_bytes(patient.path.read_bytes()[:-9] + b"different")
    with pytest.raises(AssertionError, match="differ"):
        sh(patient.remark("segment-copy").command)
    assert older.exists(), "what says something else is no leftover"


def test_files_that_are_not_the_logs_are_moved_out_of_the_way(patient: Patient) -> None:
    write(patient.path, 1)
    names = (".audit.jsonl.swp", "audit.jsonl~", "audit.jsonl.bak", "audit-2026.log.gz")
    for name in names[:3]:
        patient.path.with_name(name).write_bytes(b"something")
        patient.mended("foreign-file")
    for name in ("audit.prod.jsonl", "audit2.jsonl", "notes.txt"):  # nobody takes these for the log's
        patient.path.with_name(name).write_bytes(b"something")
    write(patient.path.with_name("audit.jsonl.other"), 1)  # a log of its own
    assert not {"foreign-file", "segment-copy"} & set(patient.kinds())


def test_a_segment_that_lies_there_packed_and_not_is_kept_once(patient: Patient) -> None:
    [sealed] = write(patient.path, 1, 1)
    sealed.with_name(sealed.name + ".gz").write_bytes(gzip.compress(sealed.read_bytes())[:-20])
    patient.mended("packed-twice")
    assert verify(patient.path).verdict == "intact"


@pytest.mark.exhaustive
def test_what_a_purge_left_is_removed_by_opening(patient: Patient) -> None:
    first, *_ = write(patient.path, 1, 1, 1)
    data = first.read_bytes()
    with AuditLog(patient.path) as log:
        log.purge(keep=1, reason="a test")
        log.rotate()
    first.write_bytes(data)
    patient.mended("purged-segments")
    assert not first.exists()


@pytest.mark.exhaustive
def test_events_that_are_held_elsewhere_are_brought_in(
    patient: Patient, calls: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with AuditLog(patient.path, on_error="spill", max_bytes=1 << 20) as log:
        log.append("a.b")
        calls.fail("write", error=errno.ENOSPC, about=f"{patient.path.parent}{os.sep}", for_ever=True)
        assert not log.append("held.event").recorded
    calls.heal()
    patient.mended("events-held")
    assert b"held.event" in patient.path.read_bytes()
    assert b"audit.settings" not in patient.path.read_bytes()
    folder = Path(SpillPlace(Names.of(patient.path), None).path)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "1-0123456789abcdef0123.jsonl.damaged").write_bytes(b"something")
    patient.mended("events-damaged")


@pytest.mark.exhaustive
def test_a_failed_sync_is_settled_by_opening(patient: Patient, calls: Calls) -> None:
    with AuditLog(patient.path) as log:
        log.append("a.b")
        calls.fail("sync", for_ever=True)
        with pytest.raises(StorageError):
            log.append("a.b")
        with pytest.raises(StorageError):  # nor can it be sealed
            log.append("a.b")
    calls.heal()
    patient.mended("sync-failed")


# -- what lies aside, and what is shipped


def test_the_folder_beside_the_log_is_for_its_owner(patient: Patient) -> None:
    with AuditLog(patient.path) as log:
        log.append("a.b", file=log.attach("text"))
    aside = patient.path.with_name("audit.jsonl.d")
    aside.chmod(0o755)
    assert patient.mended("aside-open").level == "warning"
    half = aside / "artifacts" / "new-1-ab"
    half.write_bytes(b"half of")
    assert "artifacts-unfinished" not in patient.kinds(), "it may be stored just now"
    os.utime(half, (0, 0))
    patient.mended("artifacts-unfinished")
    aside.rename(aside.with_name("elsewhere"))
    aside.symlink_to("elsewhere")
    patient.mended("aside-no-folder")


@as_root
def test_the_folder_beside_the_log_belongs_to_its_owner(patient: Patient) -> None:
    with AuditLog(patient.path) as log:
        log.attach("text")
    os.chown(patient.path.with_name("audit.jsonl.d"), 65534, -1)
    patient.mended("aside-of-another")


@pytest.mark.exhaustive
def test_a_log_that_has_not_arrived_for_a_day_is_shipped(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tmp_path / "the copies"
    write(patient.path, 1)
    ship(patient.path, away)
    assert "seq 2 of 2" in patient.remark("shipping").message
    write(patient.path, 1)
    assert "shipping-behind" not in patient.kinds(), "it may be shipped just now"
    age(patient)
    patient.mended("shipping-behind")
    shutil.move(away, f"{away} again")
    patient.mended("destination-gone")


def test_a_note_of_another_destination_or_log_goes(patient: Patient, tmp_path: Path) -> None:
    write(patient.path, 1)
    ship(patient.path, tmp_path / "copies")
    patient.path.unlink()
    write(patient.path, 1)
    patient.mended("another-log-shipped")
    patient.path.with_name("audit.jsonl.d").joinpath("shipped", "0123456789abcdef.json").write_bytes(b"{}")
    patient.mended("shipping-unreadable")


@pytest.mark.exhaustive
def test_segments_that_wait_for_a_destination_are_told(patient: Patient, tmp_path: Path) -> None:
    write(patient.path, 1)
    ship(patient.path, tmp_path / "copies")
    write(patient.path, 1, 1, 1, 1, 1, backup_count=1)
    remark = patient.remark("purge-waits")
    sh(remark.command)
    write(patient.path, 1, 1, backup_count=1)
    assert "purge-waits" not in patient.kinds()


def age(patient: Patient) -> None:
    """Says that the log was shipped long ago."""
    for path in patient.path.with_name("audit.jsonl.d").glob("shipped/*.json"):
        said = json.loads(path.read_bytes())
        path.write_bytes(json.dumps({**said, "time": "2026-01-01T00:00:00.000000Z"}).encode())


# -- who reads it


@pytest.mark.exhaustive
def test_a_log_that_nobody_verifies_is_verified(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 40 * 86_400 * 10**9)
    write(patient.path, 1)
    monkeypatch.undo()
    assert patient.mended("not-verified-lately").facts["days"] == pytest.approx(40, abs=0.1)
    assert "last verification was at" in patient.remark("reading").message
    beside = patient.path.with_name("audit.jsonl.d") / "accessed.jsonl"
    beside.write_bytes(b"nothing of a log\n")
    patient.mended("record-of-reads-broken")


@pytest.mark.exhaustive
def test_a_verification_that_found_something_is_not_forgotten(patient: Patient) -> None:
    write(patient.path, 3)
    data = patient.path.read_bytes()
    patient.path.write_bytes(data.replace(b'"n":1', b'"n":7'))
    with pytest.raises(AssertionError, match="tampered"):
        sh(f"jsonl-audit verify {patient.path}")
    assert patient.remark("verified-otherwise").facts["verdict"] == "tampered"
    patient.path.write_bytes(data)
    patient.mended("verified-otherwise")


@as_root
@pytest.mark.exhaustive
def test_a_record_of_reading_that_the_owner_cannot_write_is_given_to_them(patient: Patient) -> None:
    write(patient.path, 1)
    sh(f"jsonl-audit verify {patient.path}")
    os.chown(patient.path.with_name("audit.jsonl.d") / "accessed.jsonl.lock", 65534, -1)
    patient.mended("record-of-reads-of-another")


# -- whatever lies there

PIECES = st.sampled_from(["header", "log", "half", "junk", "nothing", "gzip", "folder", "link", "loop", "pipe"])
NAMES = st.sampled_from(
    ["audit.jsonl", "audit.jsonl.lock", "audit.jsonl.next", "audit.jsonl.1", "audit.jsonl.d", "audit.jsonl.gz",
     "audit.20260101T000000000000Z.jsonl", "audit.20260101T000000000000Z.jsonl.gz", "audit.9999.jsonl",
     "audit.20260101T000000000000Z.jsonl.part", "audit-20260101.jsonl", ".audit.jsonl.swp", "audit.jsonl~", "\udcff"]
)  # fmt: skip


@pytest.mark.exhaustive
@settings(max_examples=40)
@example({"audit.jsonl.lock": ("pipe", 0o600)})  # asking whether it is held did not end
@given(st.dictionaries(NAMES, st.tuples(PIECES, st.sampled_from([0o600, 0o666, 0])), max_size=8))
def test_whatever_lies_there_is_looked_at_and_left(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("any", numbered=True)
    log = Disk(folder).make(1, 1)
    data = log.path.read_bytes()
    for name, (piece, mode) in parts.items():
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            os.unlink(path)
        lay(path, piece, data)
        if piece not in ("link", "loop"):
            os.chmod(path, mode | (0o700 if piece == "folder" else 0))
    before = sorted((name, os.lstat(folder / name)[:7]) for name in os.listdir(folder))
    try:
        found = diagnose(log.path, full=True, logrotate=[])
        assert found.text(everything=True)
        assert json.dumps(found.to_dict())
    except AuditError:
        pass  # no log any more
    assert sorted((name, os.lstat(folder / name)[:7]) for name in os.listdir(folder)) == before


def lay(path: str, piece: str, data: bytes) -> None:
    """Puts something at a path: a part of a log, or what has no business there."""
    if piece == "folder":
        os.mkdir(path)
    elif piece in ("link", "loop"):
        os.symlink(path if piece == "loop" else "nowhere", path)
    elif piece == "pipe":
        os.mkfifo(path)
    else:
        content = {
            "header": data[: data.index(b"\n") + 1], "log": data, "half": data[:-40], "junk": b"\xff\x00{" * 50,
            "nothing": b"", "gzip": gzip.compress(data)[:-9],
        }[piece]  # fmt: skip
        with open(path, "wb") as file:
            file.write(content)


# -- every remark is explained


def test_every_remark_has_its_row_and_every_row_its_remark() -> None:
    kinds = {"immutable", "append-only"}  # named by the loop over the attributes
    for path in Path(diagnose.__code__.co_filename).parent.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Remark":
                check, kind, *_ = call.args
                told = [node.value for node in ast.walk(kind) if isinstance(node, ast.Constant)]
                kinds |= {str(value) for value in told} - {"rename", "copytruncate", "copy"}
                kinds -= {str(node.value) for node in ast.walk(check) if isinstance(node, ast.Constant)}
    page = (DOCS / "howto" / "doctor.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \| (?:problem|warning|remark)", page, re.MULTILINE)) == kinds
