"""The log tells the settings that it is written with, and every change to them, and is asked without a search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk, another_boot, chain
from logs import Log

from jsonl_audit import AuditLog, StorageError, query, verify
from jsonl_audit.mark import LENGTH, Mark
from jsonl_audit.reader import info, recorded_settings
from jsonl_audit.segment import Floor

pytestmark = pytest.mark.usefixtures("quick_disk")

DEFAULTS = {
    "max_bytes": 104857600,
    "fsync": "always",
    "sync_interval": 1.0,
    "on_error": "raise",
    "backup_count": 0,
    "line_limit": 32768,
    "redact": "default",
    "validate": "warn",
    "artifacts": True,
    "mode": "0600",
    "accessed": "beside",
}


def changes(disk: Disk) -> list[dict[str, Any]]:
    return [record["details"] for record in query(disk.path, type="audit.settings", control=True)]


def told(disk: Disk) -> list[Any]:
    """The settings in the headers."""
    return [header.get("settings") for header in chain(disk).headers]


def test_the_first_header_tells_them_and_an_event_is_still_the_second_record(disk: Disk) -> None:
    with AuditLog(disk.path) as log:
        assert log.append("t").seq == 2
    assert told(disk) == [DEFAULTS]
    with AuditLog(disk.path, max_bytes=0, mode=0o640, lock_timeout=3.0) as log:
        log.append("t")
    assert recorded_settings(disk.path) == {**DEFAULTS, "max_bytes": None, "mode": "0640"}


def test_the_same_settings_again_are_no_change(disk: Disk) -> None:
    for _ in range(3):
        with AuditLog(disk.path) as log:
            log.append("t")
    assert changes(disk) == []


def test_a_change_is_recorded_before_the_first_event_of_that_run(disk: Disk) -> None:
    with AuditLog(disk.path) as log:
        log.append("t", n=0)
    with AuditLog(disk.path, fsync="interval", backup_count=7) as log:
        assert log.append("t", n=1).seq == 4
        log.append("t", n=2)
    (change,) = changes(disk)
    assert change["settings"] == {**DEFAULTS, "fsync": "interval", "backup_count": 7}
    assert change["was"] == {"fsync": "always", "backup_count": 0}
    assert change["by"]["pid"] == os.getpid()
    assert set(change["by"]) <= {"pid", "program", "user"}
    with AuditLog(disk.path) as log:
        log.append("t", n=3)
    assert [each["was"] for each in changes(disk)] == [change["was"], {"fsync": "interval", "backup_count": 7}]
    assert verify(disk.path, full=True).verdict == "intact"


@pytest.mark.parametrize("how", ["append", "append_many", "append_group"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("fsync", ["always", "never"])
def test_whatever_appends_first(disk: Disk, how: str, shared: bool, fsync: str) -> None:
    disk.make(1)
    with disk.open(line_limit=2048, shared=shared, fsync=fsync) as log:
        getattr(log, how)({"n": 1} if how == "append" else [{"n": 1}, {"n": 2}])
    kinds = [record["type"] for record in chain(disk).records]
    assert kinds[:4] == ["audit.segment", "test.event", "audit.settings", "custom"]
    assert kinds.count("audit.settings") == 1


def test_a_log_that_is_opened_only_to_be_read_is_not_written_to(disk: Disk) -> None:
    disk.make(3)
    before = disk.content()
    with AuditLog(disk.path, max_bytes=1000) as log:
        assert (log.last_seq, len(log.tail())) == (4, 3)
        assert log.verify().ok
        log.flush()
    assert disk.content() == before


def test_every_later_header_repeats_the_newest(disk: Disk) -> None:
    with AuditLog(disk.path, fsync="never") as log:
        log.append("t")
    with AuditLog(disk.path, fsync="never", line_limit=2048) as log:
        log.append("t")
        log.rotate()
        log.append("t")
        log.rotate()
    first = {**DEFAULTS, "fsync": "never"}
    assert told(disk) == [first, {**first, "line_limit": 2048}, {**first, "line_limit": 2048}]
    with AuditLog(disk.path, fsync="never", line_limit=2048) as log:
        log.append("t")
    assert len(changes(disk)) == 1


@pytest.mark.parametrize("how", ["closed", "killed", "forgotten", "another boot", "torn", "sealed"])
def test_they_are_known_however_the_run_before_ended(
    disk: Disk, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.make(1)
    log = disk.open(backup_count=9)
    log.append("t")
    if how == "sealed":
        log.rotate()
    left = disk.copy(tmp_path / "left") if how == "killed" else disk
    log.close()
    if how == "forgotten":
        left.forget()
    if how == "torn":
        left.forget().grow(b'{"seq":')
    assert recorded_settings(left.path)["backup_count"] == 9
    assert info(left.path).settings == recorded_settings(left.path)
    with another_boot(monkeypatch) if how == "another boot" else monkeypatch.context():
        with left.open(backup_count=9) as log:
            log.append("t")
        assert len(changes(left)) == 1
        with left.open() as log:
            log.append("t")
    assert [change["was"] for change in changes(left)] == [{"backup_count": 0}, {"backup_count": 9}]


def test_knowing_them_costs_no_search(disk: Disk, calls: Calls) -> None:
    with disk.open(max_bytes=None) as log:
        log.append_group([{"text": "x" * 20_000}] * 300)
    with disk.open(max_bytes=None, backup_count=1) as log:
        log.append_group([{"text": "x" * 20_000}] * 300)
    calls.clear()
    assert recorded_settings(disk.path)["backup_count"] == 1
    disk.open(max_bytes=None, backup_count=1).close()
    assert calls.bytes_read < 1_000_000


def test_of_a_log_that_tells_none_the_next_header_does(log_dir: Path) -> None:
    """Nobody knows that they changed: there is no record, and the first event has the seq that it always had."""
    made = Log(log_dir).fill(2)
    disk = Disk(log_dir)
    assert recorded_settings(disk.path) == {}
    assert info(disk.path).settings is None
    with AuditLog(disk.path) as log:
        assert log.append("t").seq == made.seq + 1
        log.rotate()
    assert changes(disk) == []
    assert told(disk) == [None, DEFAULTS]


def test_a_member_that_was_not_known_is_no_change_and_one_that_is_not_known_here_stays(disk: Disk) -> None:
    with disk.open() as log:
        log.append("t")
    line = disk.lines()[0]
    known = json.loads(line)["details"]["settings"]
    assert known.pop("redact") == "default"
    log = Log(disk.folder, "other.jsonl")
    details = {**json.loads(line)["details"], "settings": {**known, "later": [1]}}
    Path(log.names.path).unlink()
    log.seq, log.head, log._size = 0, "0" * 64, 0
    log.control("audit.segment", details)
    with AuditLog(log.names.path, fsync="never") as again:
        again.append("t")
        again.rotate()
    other = Disk(disk.folder, "other.jsonl")
    assert changes(other) == []
    assert told(other)[1] == {**DEFAULTS, "fsync": "never", "later": [1]}


def test_settings_that_are_none_are_passed_over(log_dir: Path) -> None:
    made = Log(log_dir).fill(1)
    for details in ({}, {"settings": None}, {"settings": [1]}, {"settings": "x"}):
        made.control("audit.settings", details)
    assert recorded_settings(made.active) == {}
    made.control("audit.settings", {"settings": {"max_bytes": 5}})
    made.add("t", details={"type": "audit.settings", "settings": {"max_bytes": 6}})
    made.add("t", details=[{"x": 1, "type": "audit.settings", "settings": {"max_bytes": 7}}])
    assert recorded_settings(made.active) == {"max_bytes": 5}
    with AuditLog(made.active, fsync="never") as log:
        log.append("t")
    assert [change.get("was") for change in changes(Disk(log_dir))][-1] == {"max_bytes": 5}


def test_a_change_that_cannot_be_recorded_lets_no_event_pass(disk: Disk, calls: Calls) -> None:
    disk.make(1)
    with disk.open(backup_count=2) as log:
        calls.fail("write")
        with pytest.raises(StorageError):
            log.append("t", n=1)
        calls.heal()
        log.append("t", n=2)
        log.append("t", n=3)
    assert [record.get("n") for record in chain(disk).events] == [None, 2, 3]
    assert len(changes(disk)) == 1


# -- several programs


def test_two_that_share_a_log_record_their_own_once_and_not_in_turn(disk: Disk) -> None:
    with disk.open(shared=True, max_bytes=100_000) as one, disk.open(shared=True, max_bytes=200_000) as two:
        for n in range(20):
            one.append("t", n=n)
            two.append("t", n=n)
    (change,) = changes(disk)
    assert (change["settings"]["max_bytes"], change["was"]) == (200_000, {"max_bytes": 100_000})


def test_another_process_knows_a_change_that_it_did_not_make(disk: Disk) -> None:
    with disk.open(shared=True) as one:
        one.append("t")
        with disk.open(shared=True, backup_count=5) as two:
            two.append("t")
            one.append("t")
            one.rotate()
    assert [header["backup_count"] for header in told(disk)] == [0, 5]


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jsonl_audit", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True)


@pytest.mark.exhaustive
def test_the_command_line_goes_by_the_settings_of_the_log(disk: Disk) -> None:
    options: dict[str, Any] = {
        "fsync": "interval", "max_bytes": 3000, "line_limit": 2048, "backup_count": 4, "on_error": "drop",
        "artifacts": False,
    }  # fmt: skip
    with AuditLog(disk.path, **options) as log:
        log.append("t")
    for _ in range(12):
        run("append", "--type", "cron", "--detail", "text=" + "x" * 300, folder=disk.folder)
    assert len(disk.sealed()) > 1, "it sealed at the size that the log tells"
    with AuditLog(disk.path, **options) as log:
        log.append("t")
    assert changes(disk) == []
    refused = subprocess.run(
        [sys.executable, "-m", "jsonl_audit", "append", "--type", "t", "--detail", "text=" + "x" * 3000],
        cwd=disk.folder, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "2048" in refused.stderr
    run("append", "--type", "t", "--fsync", "always", folder=disk.folder)
    assert [change["was"] for change in changes(disk)] == [{"fsync": "interval"}]
    assert changes(disk)[0]["settings"]["backup_count"] == 4


def test_a_log_that_the_command_line_made_is_a_services_without_a_change(disk: Disk) -> None:
    run("append", "--type", "t", folder=disk.folder)
    with AuditLog(disk.path) as log:
        log.append("t")
        log.rotate()
    assert changes(disk) == []
    names = ("max_bytes", "fsync", "line_limit", "redact", "artifacts", "accessed")
    assert told(disk) == [{name: DEFAULTS[name] for name in names}, DEFAULTS]


def test_one_command_without_redaction_is_recorded_and_the_next_one_redacts_again(disk: Disk) -> None:
    run("append", "--type", "t", "--detail", "password=abc", "--redact", "off", folder=disk.folder)
    run("append", "--type", "t", "--detail", "password=def", folder=disk.folder)
    assert told(disk)[0]["redact"] is None
    assert [record["details"]["password"] for record in query(disk.path)] == ["abc", "<redacted:password>"]
    run("append", "--type", "t", "--detail", "password=ghi", "--redact", "default", folder=disk.folder)
    assert [change["was"] for change in changes(disk)] == [{"redact": None}]


def test_a_command_redacts_as_much_as_the_log_and_looks_as_strictly(disk: Disk) -> None:
    with AuditLog(disk.path, redact="privacy", validate="strict") as log:
        log.append("custom", actor="u1", task="t1", outcome="success")
    text = "mail ann@example.org"
    run(*("append", "--type", "custom", "--actor", "u1", "--set", "task=t", "--outcome", "success"),
        "--detail", f"text={text}", folder=disk.folder)  # fmt: skip
    assert text not in str(list(query(disk.path)))
    with pytest.raises(subprocess.CalledProcessError):
        run("append", "--type", "of.no.catalogue", folder=disk.folder)
    assert changes(disk) == []


@pytest.mark.parametrize("value", ["soon", 7, None, [1], {"a": 1}])
def test_settings_of_a_strange_kind_do_not_stop_the_command_line(log_dir: Path, value: Any) -> None:
    made = Log(log_dir).fill(1)
    made.control("audit.settings", {"settings": {"fsync": value, "max_bytes": value, "line_limit": value}})
    run("append", "--type", "t", folder=log_dir)
    assert next(query(made.active, reverse=True))["type"] == "t"


def test_info_shows_them(disk: Disk) -> None:
    with AuditLog(disk.path) as log:
        log.append("t")
    shown = run("info", folder=disk.folder).stdout
    assert "fsync=always" in shown
    assert "redact=default" in shown
    assert json.loads(run("info", "--json", folder=disk.folder).stdout)["settings"] == DEFAULTS


# -- the lock file


def test_a_mark_has_room_for_the_longest_settings_and_leaves_out_what_is_longer() -> None:
    long = {**DEFAULTS, "max_bytes": 2**63 - 1, "line_limit": 2**63 - 1, "backup_count": 2**63 - 1}
    floor = Floor(2**63 - 1, 2**63 - 1, "0" * 64)
    most = 2**62 - 1
    mark = Mark("b" * 36, "l" * 36, most, (2**64 - 1, 2**64 - 1), most, "0" * 64, floor, True, most, "interval")
    for settings, kept in ((long, long), ({"redact": "x" * 900}, None)):
        text = Mark(**{**_members(mark), "settings": settings}).encode()
        assert len(text) == LENGTH
        found = Mark.decode(text)
        assert found is not None
        assert found.settings == kept
    assert Mark.decode(Mark(**{**_members(mark), "settings": "x"}).encode()) is None  # type: ignore[arg-type]


def _members(mark: Mark) -> dict[str, Any]:
    return {name: getattr(mark, name) for name in Mark.__slots__}
