"""Shipping to a folder: what arrives is the log, byte for byte, whole at every moment, and each segment once."""

from __future__ import annotations

import gzip
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk, chain
from logs import build

from jsonl_audit import AuditLog, LogError, Shipped, ship, shipped, verify
from jsonl_audit.segment import Names
from jsonl_audit.ship.outcome import Problem

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


def once(disk: Disk, there: Path, **options: Any) -> Shipped:
    """Ships once; what is to be said is said by the outcome."""
    (outcome,) = ship(disk.path, there, **options)
    return outcome


def files(folder: Path) -> dict[str, bytes]:
    """What a log is made of in a folder, by name, artifacts too."""
    found = [path for path in folder.rglob("*") if path.is_file() and "shipped" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.suffix != ".lock"}


def test_what_arrives_is_the_log_byte_for_byte_and_verifies(disk: Disk, there: Path) -> None:
    disk.make(3, 3, 2)
    outcome = once(disk, there)
    assert files(there) == files(disk.folder)
    report = verify(there / disk.path.name)
    assert (report.verdict, report.last_seq, report.head) == ("intact", outcome.seq, outcome.head)
    assert (outcome.exit_code, outcome.sealed, outcome.segment) == (0, 2, 3)


def test_a_second_time_only_what_is_new_is_copied(disk: Disk, there: Path) -> None:
    disk.make(3, 3)
    once(disk, there)
    assert once(disk, there).bytes == 0
    with disk.open() as log:
        log.append("t")
    size = disk.path.stat().st_size
    assert 0 < once(disk, there).bytes < size
    assert files(there) == files(disk.folder)


def test_a_segment_sealed_between_two_rounds_is_renamed_there_and_not_sent_again(disk: Disk, there: Path) -> None:
    disk.make(40)
    once(disk, there)
    grown = (there / disk.path.name).stat()
    with disk.open() as log:
        log.append("t", n=41)
        log.rotate()
        log.append("t")
    outcome = once(disk, there)
    sealed = there / disk.sealed()[0].name
    assert sealed.stat().st_ino == grown.st_ino
    assert outcome.bytes < grown.st_size
    assert files(there) == files(disk.folder)


def test_only_what_is_committed_is_shipped(disk: Disk, there: Path) -> None:
    disk.make(2)
    whole = disk.path.read_bytes()
    with disk.open() as log:
        log.append_many([{"type": "t"}] * 3)
    batch = disk.path.read_bytes()[len(whole) :]
    for torn in (batch[:-200], batch[: batch.index(b"\n") + 1], b'{"seq":', bytes(700)):
        disk.path.write_bytes(whole + torn)
        once(disk, there)
        assert (there / disk.path.name).read_bytes() == whole


def test_a_torn_end_arrives_once_the_next_header_accounts_for_it(disk: Disk, there: Path) -> None:
    disk.make(2).grow(b'{"seq":4,"ts"')
    once(disk, there)
    disk.forget()
    with disk.open() as log:
        log.append("t")
    once(disk, there)
    assert files(there) == files(disk.folder)
    assert verify(there / disk.path.name).verdict == "intact"


def test_mode_and_times_are_kept(disk: Disk, there: Path) -> None:
    disk.make(2, 2, mode=0o640)
    for number, path in enumerate([*disk.sealed(), disk.path]):
        os.utime(path, (1_700_000_000, 1_700_000_000 + number))
    once(disk, there)
    for path in [*disk.sealed(), disk.path]:
        here, arrived = path.stat(), (there / path.name).stat()
        assert (arrived.st_mode, arrived.st_mtime_ns) == (here.st_mode, here.st_mtime_ns)


def test_artifacts_arrive_before_the_records_that_refer_to_them(disk: Disk, there: Path, calls: Calls) -> None:
    with disk.open(fsync="never") as log:
        for n in range(3):
            log.append("t", details=log.attach(bytes([n]) * 5000))
    made: list[str] = []
    calls.before = lambda name, args: made.append(str(args[1])) if name == "rename" else None
    assert once(disk, there).artifacts == 3
    assert ["/artifacts/" in path for path in made] == [True] * 3 + [False]
    assert files(there) == files(disk.folder)
    report = verify(there / disk.path.name)
    assert report.verdict == "intact"
    assert not [note for note in report.notes if "not here" in note.message]


def test_segments_that_somebody_compressed_are_shipped_as_they_lie(disk: Disk, there: Path) -> None:
    disk.make(3, 3, 3)
    first, second = disk.sealed()
    first.with_name(first.name + ".gz").write_bytes(gzip.compress(first.read_bytes()))
    first.unlink()
    once(disk, there)
    assert files(there) == files(disk.folder)
    second.with_name(second.name + ".gz").write_bytes(gzip.compress(second.read_bytes()))  # after it had arrived
    second.unlink()
    assert once(disk, there).bytes == 0
    assert verify(there / disk.path.name).verdict == "intact"
    there_too = there / first.name
    there_too.write_bytes(gzip.decompress((there / (first.name + ".gz")).read_bytes()))  # unpacked there
    (there / (first.name + ".gz")).unlink()
    assert (once(disk, there).bytes, once(disk, there).problems) == (0, [])


def test_a_segment_compressed_at_the_source_while_half_of_it_is_there_goes_on_plain(disk: Disk, there: Path) -> None:
    disk.make(5)
    once(disk, there)
    with disk.open() as log:
        log.append("t")
        log.rotate()
    (sealed,) = disk.sealed()
    sealed.with_name(sealed.name + ".gz").write_bytes(gzip.compress(sealed.read_bytes()))
    content = sealed.read_bytes()
    sealed.unlink()
    once(disk, there)
    assert (there / sealed.name).read_bytes() == content


def test_what_an_unfinished_copy_by_other_tools_left_is_gone_on_with(disk: Disk, there: Path) -> None:
    disk.make(4, 4, 4)
    there.mkdir()
    one, two = disk.sealed()
    (there / one.name).write_bytes(one.read_bytes()[:700])
    (there / two.name).write_bytes(two.read_bytes())
    (there / disk.path.name).write_bytes(disk.path.read_bytes()[:50])
    assert once(disk, there).ok
    assert files(there) == files(disk.folder)


def test_an_older_copy_of_a_segment_under_the_active_name_gives_way_to_the_newer_one(disk: Disk, there: Path) -> None:
    disk.make(4, 4, 4)
    there.mkdir()
    for path in disk.sealed():
        (there / path.name).write_bytes(path.read_bytes())
    (there / disk.path.name).write_bytes(disk.sealed()[1].read_bytes()[:900])
    assert once(disk, there).ok
    assert files(there) == files(disk.folder)


def test_a_log_that_was_purged_arrives_from_where_it_begins(disk: Disk, there: Path) -> None:
    disk.make(2, 2, 2)
    with disk.open() as log:
        log.purge(keep=1, reason="old")
        log.append("t")
    assert once(disk, there).ok
    report = verify(there / disk.path.name)
    assert (report.verdict, [note.kind for note in report.notes]) == ("intact", ["purged-prefix"])


def test_several_logs_go_to_one_place_and_one_that_fails_keeps_no_other_from_it(tmp_path: Path, there: Path) -> None:
    one, two = Disk(tmp_path / "1", "a b[1].jsonl"), Disk(tmp_path / "2", "line\nfeed.jsonl")
    one.folder.mkdir()
    two.folder.mkdir()
    one.make(2, 2)
    two.make(1, 1)
    with pytest.raises(OSError, match="no such log") as raised:
        ship([one.path, tmp_path / "missing.jsonl", two.path], there)
    outcomes = raised.value.done  # type: ignore[attr-defined]
    assert [outcome.exit_code for outcome in outcomes] == [0, 4, 0]
    for disk in (one, two):
        assert verify(there / disk.path.name).verdict == "intact"


def test_logs_of_one_name_are_not_mixed(tmp_path: Path, there: Path) -> None:
    paths = [build(tmp_path / name).active for name in ("a", "b")]
    with pytest.raises(LogError, match="the name that"):
        ship(paths, there)
    assert not there.exists()


def test_a_log_is_not_shipped_into_its_own_folder(disk: Disk) -> None:
    disk.make(1)
    with pytest.raises(LogError, match="folder that it lies in"):
        ship(disk.path, disk.folder)


def test_with_a_limit_of_bandwidth_it_takes_its_time(disk: Disk, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.make(20)
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    outcome = once(disk, there, bwlimit=1000)
    assert outcome.bytes / 1000 - 1 <= now[0] <= outcome.bytes / 1000 + 1


def test_progress_comes_to_what_was_moved(disk: Disk, there: Path) -> None:
    disk.make(5, 5)
    seen: list[tuple[int, int]] = []
    outcome = once(disk, there, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (outcome.bytes, outcome.bytes)
    assert all(done <= total for done, total in seen)


def test_the_note_beside_the_source_says_how_far_it_has_arrived(disk: Disk, there: Path) -> None:
    disk.make(2, 2)
    outcome = once(disk, there)
    (said,) = shipped.read(Names.of(disk.path))
    assert (said.destination, said.segment, said.seq, said.hash) == (str(there), 2, outcome.seq, outcome.head)
    assert said.bytes == disk.path.stat().st_size


def _following(disk: Disk, there: Path, done: Callable[[], bool], **options: Any) -> list[Problem]:
    """Ships until that is so, or a minute is over."""
    told: list[Problem] = []
    ends = time.monotonic() + 60
    ship(disk.path, there, follow=True, interval=0.01, on_notice=told.append,
         stop=lambda: done() or time.monotonic() > ends, **options)  # fmt: skip
    assert done()
    return told


def test_following_keeps_up_with_a_rotating_and_purging_writer(disk: Disk, there: Path) -> None:
    chance = random.Random(1)
    ended = threading.Event()
    head: list[str] = []

    def write() -> None:
        with disk.open(max_bytes=6000, backup_count=3) as log:
            for n in range(1500):
                log.append("t", n=n, text="x" * chance.randrange(200))
            head.append(log.head)
        ended.set()

    writer = threading.Thread(target=write)
    disk.make(1)
    once(disk, there)
    writer.start()

    def arrived() -> bool:
        return ended.is_set() and any(head[0] == said.hash for said in shipped.read(Names.of(disk.path)))

    told = _following(disk, there, arrived)
    writer.join()
    report = verify(there / disk.path.name)
    assert (report.verdict, report.head) == ("intact", head[0])
    found = chain(Disk(there, disk.path.name))
    assert [record.get("n") for record in found.events[1:]] == list(range(1500))
    assert not told


def test_following_waits_for_a_log_and_a_destination_that_are_out_of_reach(disk: Disk, there: Path) -> None:
    there.parent.mkdir(exist_ok=True)
    steps: list[str] = []

    def step() -> bool:
        steps.append("")
        if len(steps) == 10:
            with AuditLog(disk.path, fsync="never") as log:
                log.append("t")
        return verify_there()

    def verify_there() -> bool:
        path = there / disk.path.name
        return path.exists() and disk.path.exists() and path.read_bytes() == disk.path.read_bytes()

    told = _following(disk, there, step)
    assert [problem.kind for problem in told] == ["note", "note"]
    assert "no such log" in told[0].message
    assert told[1].message == "it goes on"


def test_the_record_of_who_read_the_log_is_shipped_with_it(disk: Disk, there: Path) -> None:
    disk.make(2)
    once(disk, there)
    beside = disk.folder / (disk.path.name + ".d") / "accessed.jsonl"
    with AuditLog(beside, fsync="never", accessed=None) as log:
        log.append("t")
    outcome = once(disk, there)
    assert outcome.accessed is not None
    assert (outcome.exit_code, outcome.accessed.seq) == (0, 2)
    assert files(there) == files(disk.folder)
    (there / beside.relative_to(disk.folder)).write_bytes(b"a diary\n")
    outcome = once(disk, there)
    assert (outcome.exit_code, [problem.kind for problem in outcome.problems]) == (1, ["different"])


def test_whoever_ships_as_another_user_makes_no_folder_that_keeps_the_writer_out(
    disk: Disk, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.make(2)
    monkeypatch.setattr(os, "geteuid", lambda: disk.path.stat().st_uid + 1)
    outcome = once(disk, there)
    assert "cannot be noted" in outcome.notes[0].message
    assert not (disk.folder / (disk.path.name + ".d")).exists()
