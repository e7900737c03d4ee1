"""Purging: a record first, then the files, and a log that is intact whatever step is the last before a crash."""

from __future__ import annotations

import errno
import gzip
import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from disk import CHANGING, Calls, Disk
from simdisk import Mount, SimDisk, edges
from workloads import LOG

from jsonl_audit import AuditLog, FileSettings, Notice, StorageError, WriteError, follow, get, mark, query, tail, verify
from jsonl_audit.reader import follower

pytestmark = [pytest.mark.usefixtures("quick_disk"), pytest.mark.exhaustive]


def made(disk: Disk, segments: int = 5, each: int = 2, **options: Any) -> Disk:
    """A log with so many sealed segments, and an active one."""
    return disk.make(*[each] * (segments + 1), **options)


def purges(disk: Disk) -> list[dict[str, Any]]:
    """What the purge records say."""
    return [record["details"] for record in _all(disk, type="audit.purged", control=True)]


def _all(disk: Disk, **filters: Any) -> Iterator[dict[str, Any]]:
    return query(disk.path, on_damage=lambda _: None, **filters)


def headers(disk: Disk) -> list[dict[str, Any]]:
    paths = [*disk.sealed(), disk.path]
    plain = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in paths]
    return [json.loads(content.split(b"\n", 1)[0])["details"] for content in plain]


def said(disk: Disk, *, full: bool = True) -> tuple[str, list[str]]:
    report = verify(disk.path, full=full)
    assert report.findings == ()
    return report.verdict, [note.kind for note in report.notes]


PURGED = ("intact", ["purged-prefix"])


# -- what goes


def test_the_oldest_segments_go_and_the_record_says_which(disk: Disk) -> None:
    made(disk)
    before = {path.name: path.read_bytes() for path in disk.sealed()}
    went = disk.sealed()[:3]
    with disk.open() as log:
        assert log.purge(keep=2, reason="kept for a week") == [str(path) for path in went]
        assert not log.notes
    (record,) = purges(disk)
    assert record["reason"] == "kept for a week"
    assert "missing" not in record
    for number, (path, entry) in enumerate(zip(went, record["segments"], strict=True), 1):
        content = before[path.name]
        lines = [json.loads(line) for line in content.splitlines()]
        assert entry == {
            "segment": number,
            "first_seq": lines[0]["seq"],
            "last_seq": lines[-1]["seq"],
            "name": path.name,
            "bytes": len(content),
            "blake3": blake3(content).hexdigest(),
        }
    assert record["through"] == {"segment": 3, "last_seq": lines[-1]["seq"], "head": lines[-1]["hash"]}
    assert said(disk) == said(disk, full=False) == PURGED
    assert next(query(disk.path, control=True))["prev"] == record["through"]["head"]
    assert "segments 1 to 3" in verify(disk.path).notes[0].message


def test_every_later_header_and_the_lock_file_repeat_how_far(disk: Disk) -> None:
    made(disk)
    with disk.open() as log:
        log.purge(keep=2, reason="x")
        floor = purges(disk)[0]["through"]
        assert json.loads(disk.lock.read_bytes().split(b"\n", 1)[0])["purged"] == floor
        log.rotate()
        log.append("t")
        log.rotate()
    with disk.open() as log:
        log.append("t")
        log.rotate()
    assert [header.get("purged") for header in headers(disk)] == [None, None, None, floor, floor, floor]
    assert said(disk) == PURGED


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_the_record_is_on_the_disk_before_any_file_goes(disk: Disk, calls: Calls, fsync: str) -> None:
    made(disk)
    with disk.open(fsync=fsync, sync_interval=3600) as log:
        log.append("t")
        log.flush()
        calls.clear()
        log.purge(keep=2, reason="x")
        made_calls = [name for name, _ in calls.made if name in CHANGING]
    assert made_calls[:2] == ["write", "sync"]
    rest = [name for name in made_calls[2:] if name != "overwrite"]
    assert rest == ["sync", "unlink", "unlink", "unlink", "sync_directory"]
    assert made_calls.index("overwrite") < made_calls.index("unlink"), "the mark says so too"


def test_purging_again_says_only_what_went_this_time(disk: Disk) -> None:
    made(disk)
    with disk.open() as log:
        assert len(log.purge(keep=4, reason="a")) == 1
        assert log.purge(keep=4, reason="b") == []
        assert len(log.purge(keep=2, reason="c")) == 2
    assert [[entry["segment"] for entry in record["segments"]] for record in purges(disk)] == [[1], [2, 3]]
    assert said(disk) == PURGED


def test_packed_segments_and_twins_of_them_go_too(disk: Disk) -> None:
    made(disk)
    first, second, third, *_ = disk.sealed()
    for path, stays in ((first, False), (second, True)):
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        if not stays:
            path.unlink()
    with disk.open() as log:
        removed = log.purge(keep=2, reason="x")
    assert sorted(removed) == sorted([f"{first}.gz", str(second), f"{second}.gz", str(third)])
    assert len(disk.sealed()) == 2
    assert said(disk) == PURGED


def test_nothing_goes_where_no_more_than_that_is_here(disk: Disk) -> None:
    with disk.open() as log:
        assert log.purge(keep=1, reason="x") == []
    made(disk, 2)
    with disk.open() as log:
        assert log.purge(keep=2, reason="x") == []
        assert log.purge(keep=9, reason="x") == []
    assert purges(disk) == []


@pytest.mark.parametrize("wrong", [0, -1, True, None, "3"])
def test_what_makes_no_sense_is_refused(disk: Disk, wrong: Any) -> None:
    with disk.open() as log:
        with pytest.raises(ValueError, match="keep"):
            log.purge(keep=wrong, reason="x")
        with pytest.raises(ValueError, match="reason"):
            log.purge(keep=1, reason="")
        assert log.purge(keep=1, reason="half a pair: \ud83d") == []
    if wrong != 0:
        with pytest.raises(ValueError, match="backup_count"):
            disk.open(backup_count=wrong)


# -- what must not go


def test_a_segment_stays_where_the_one_after_it_is_not_here(disk: Disk) -> None:
    made(disk)
    disk.sealed()[2].unlink()
    with disk.open() as log:
        assert len(log.purge(keep=1, reason="x")) == 1
        assert "segment 2 is not purged" in " ".join(log.notes)
        assert log.purge(keep=1, reason="x") == []
    assert [entry["segment"] for entry in purges(disk)[0]["segments"]] == [1]
    assert verify(disk.path).verdict == "incomplete"


def test_a_segment_stays_where_the_header_after_it_is_not_right(disk: Disk) -> None:
    made(disk)
    disk.flip(300, disk.sealed()[1])
    with disk.open() as log:
        assert log.purge(keep=1, reason="x") == []
    assert len(disk.sealed()) == 5
    assert verify(disk.path).verdict == "tampered"


def test_segments_that_were_gone_before_are_named_and_not_passed_off_as_purged(disk: Disk) -> None:
    made(disk)
    disk.sealed()[0].unlink()
    disk.sealed()[0].unlink()
    with disk.open() as log:
        assert len(log.purge(keep=2, reason="x")) == 1
    (record,) = purges(disk)
    assert record["missing"] == {"first": 1, "last": 2}
    assert [entry["segment"] for entry in record["segments"]] == [3]


def test_other_files_with_such_names_stay(disk: Disk, tmp_path: Path) -> None:
    made(disk)
    other = Disk(tmp_path)
    made(other, 1)
    foreign = disk.folder / other.sealed()[0].name
    foreign.write_bytes(other.sealed()[0].read_bytes())
    junk = disk.folder / "audit.20010101T000000000000Z.jsonl"
    junk.write_bytes(b"?")
    with disk.open() as log:
        assert len(log.purge(keep=1, reason="x")) == 4
    assert foreign.exists()
    assert junk.exists()


# -- failures, and crashes at every step


def test_a_record_that_cannot_be_written_takes_nothing_away(disk: Disk, calls: Calls) -> None:
    made(disk)
    for call in ("write", "sync"):
        with disk.open() as log:
            calls.fail(call, error=errno.ENOSPC)
            with pytest.raises(StorageError):
                log.purge(keep=2, reason="x")
            calls.heal()
            log.append("t")
        assert calls.count("unlink") == 0
        assert said(disk)[0] == "intact"
    with disk.open() as log:
        assert len(log.purge(keep=2, reason="x")) >= 3
    assert said(disk)[0] == "intact"


def test_a_record_that_was_written_though_it_failed_is_known_from_then_on(disk: Disk, calls: Calls) -> None:
    made(disk)

    def after(name: str, args: tuple[Any, ...], result: Any) -> None:
        if name == "write":
            calls.after = None
            raise OSError(errno.EIO, "Input/output error")

    with disk.open() as log:
        calls.after = after
        with pytest.raises(WriteError):
            log.purge(keep=2, reason="x")
        log.append("t")
        assert len(disk.sealed()) == 5
        log.rotate()
    assert headers(disk)[-1]["purged"] == purges(disk)[0]["through"]
    disk.open().close()  # which removes what is left
    assert len(disk.sealed()) == 3
    assert said(disk) == PURGED


def test_no_file_goes_where_the_lock_file_cannot_say_how_far(disk: Disk, calls: Calls) -> None:
    made(disk)
    with disk.open() as log:
        calls.fail("overwrite", error=errno.EIO, for_ever=True)
        assert log.purge(keep=2, reason="x") == []
        assert len(disk.sealed()) == 5
        assert "lock file" in " ".join(log.notes)
        calls.heal()
        assert len(log.purge(keep=2, reason="y")) == 3
    assert len(purges(disk)) == 1
    assert said(disk) == PURGED


@pytest.mark.parametrize("call", ["unlink", "sync_directory"])
def test_a_file_that_cannot_be_removed_is_noted_and_tried_again(disk: Disk, calls: Calls, call: str) -> None:
    made(disk)
    with disk.open() as log:
        calls.fail(call, error=errno.EACCES)
        went = log.purge(keep=2, reason="x")
        assert len(went) == (2 if call == "unlink" else 3)
        assert os.strerror(errno.EACCES) in " ".join(log.notes)
        calls.heal()
        assert said(disk) == PURGED
        assert len(log.purge(keep=2, reason="y")) == 3 - len(went)
    assert len(disk.sealed()) == 2
    assert len(purges(disk)) == 1
    assert said(disk) == PURGED


@pytest.mark.parametrize("fsync", ["always", "never"])
def test_a_crash_between_any_two_steps_leaves_an_intact_log_that_goes_on(
    disk: Disk, calls: Calls, tmp_path: Path, fsync: str
) -> None:
    """Also one that forgets the mark, and one in the middle of sealing, where purging comes by itself."""
    copies: list[Disk] = []
    here = threading.current_thread()

    def before(name: str, args: tuple[Any, ...]) -> None:
        if name in CHANGING and threading.current_thread() is here:  # not the one that leaves the mark beside it
            copies.append(disk.copy(tmp_path / str(len(copies))))

    with disk.open(fsync=fsync, max_bytes=2500, backup_count=2) as log:
        for n in range(40):
            if n >= 20:
                calls.before = before
            log.append("t", n=n)
        log.purge(keep=1, reason="x")
        calls.before = None
    assert len(copies) > 40
    for number, copy in enumerate(copies):
        found = [record["n"] for record in query(copy.path)]
        assert found == list(range(found[0], found[-1] + 1))
        assert verify(copy.path).verdict in ("intact", "torn"), number
        if number % 2:
            copy.forget()
        with copy.open(max_bytes=2500, backup_count=2) as log:
            log.append("t", n=found[-1] + 1)
            log.append("t", n=found[-1] + 2)
        again = [record["n"] for record in query(copy.path)]
        assert again == list(range(again[0], found[-1] + 3))
        assert len(copy.sealed()) <= 4
        assert said(copy)[0] == "intact", number


# -- by itself


def test_backup_count_keeps_so_many(disk: Disk) -> None:
    with disk.open(max_bytes=2500, backup_count=3) as log:
        for n in range(200):
            log.append("t", n=n)
            assert len(disk.sealed()) <= 3
        assert not log.notes
    assert said(disk) == said(disk, full=False) == PURGED
    found = [record["n"] for record in query(disk.path)]
    assert found == list(range(found[0], 200))
    assert {record["reason"] for record in purges(disk)} == {"backup_count=3"}
    first = headers(disk)[0]["segment"]
    floors = [header["purged"]["segment"] for header in headers(disk) if "purged" in header]
    assert floors[-1] == first - 2, "the newest header was written before its own purge"
    assert purges(disk)[-1]["through"]["segment"] == first - 1


def test_without_it_all_are_kept(disk: Disk) -> None:
    with disk.open(max_bytes=2500) as log:
        for n in range(100):
            log.append("t", n=n)
    assert [record["n"] for record in query(disk.path)] == list(range(100))


def test_a_log_that_rests_loses_nothing_by_being_rotated(disk: Disk) -> None:
    """A purge record is no reason to seal: else a few idle rotations would purge all there is."""
    with disk.open(backup_count=1) as log:
        for n in range(3):
            log.append("t", n=n)
            assert log.rotate()
        for _ in range(5):
            assert log.rotate() is None
        assert [record["n"] for record in log.query()] == [2]
        log.append("t", n=3)
        assert log.rotate()
    assert said(disk) == PURGED


def test_a_segment_of_the_least_size_holds_the_purge_record_and_an_event(disk: Disk) -> None:
    with disk.open(max_bytes=1, backup_count=2) as log:
        for n in range(20):
            log.append("t", n=n)
        assert [record["n"] for record in log.query()] == [17, 18, 19]
    assert said(disk) == PURGED


@pytest.mark.parametrize("call", ["list_directory", "open_read", "unlink"])
def test_a_purge_that_fails_fails_no_commit(disk: Disk, calls: Calls, call: str) -> None:
    with disk.open(max_bytes=2500, backup_count=1) as log:
        for n in range(30):
            log.append("t", n=n)

        def before(name: str, args: tuple[Any, ...]) -> None:
            if name == call and "purge" in _frames():
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))

        calls.before = before
        for n in range(30, 60):
            log.append("t", n=n)
        calls.heal()
        for n in range(60, 90):
            log.append("t", n=n)
        assert len(disk.sealed()) == 1
    found = [record["n"] for record in query(disk.path)]
    assert found == list(range(found[0], 90))
    assert said(disk) == PURGED


def _frames() -> set[str]:
    """The modules that the call comes from."""
    frame, found = sys._getframe(), set()
    while frame is not None:
        found.add(frame.f_globals["__name__"].rpartition(".")[2])
        frame = frame.f_back  # type: ignore[assignment]
    return found


@pytest.mark.parametrize("call", ["write", "sync"])
def test_a_disk_that_fails_in_the_middle_of_a_purge_fails_no_commit_that_it_takes(
    disk: Disk, calls: Calls, call: str
) -> None:
    acknowledged = []
    with disk.open(max_bytes=2500, backup_count=1, fsync="always") as log:
        for n in range(60):
            failing = [n % 7 == 0]

            def before(name: str, args: tuple[Any, ...], failing: list[bool] = failing) -> None:
                if name == call and failing[0] and "_purge" in _functions():
                    failing[0] = False
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            calls.before = before
            acknowledged.append(log.append("t", n=n).hash)
        calls.heal()
        log.append("t", n=60)
    found = list(query(disk.path))
    assert [record["hash"] for record in found][:-1] == acknowledged[-len(found) + 1 :]
    assert said(disk)[0] == "intact"


def _functions() -> set[str]:
    frame, found = sys._getframe(), set()
    while frame is not None:
        found.add(frame.f_code.co_name)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def test_settings_of_a_configuration_take_it(tmp_path: Path) -> None:
    with FileSettings(directory=tmp_path, max_file_size=2500, backup_count=2, sync_on_write=False).open() as store:
        for n in range(60):
            store.persist({"type": "t", "n": n})
    assert len(Disk(tmp_path).sealed()) == 2


# -- several processes


def test_another_process_repeats_how_far_without_having_been_told(disk: Disk) -> None:
    made(disk)
    with disk.open(shared=True) as one, disk.open(shared=True) as two:
        two.append("t")
        assert len(one.purge(keep=2, reason="x")) == 3
        two.append("t")
        two.rotate()
        one.append("t")
        assert len(two.purge(keep=1, reason="y")) == 2
        one.rotate()
    floors = [header["purged"]["segment"] for header in headers(disk) if "purged" in header]
    assert floors == [3, 5]
    assert said(disk) == PURGED


def test_many_processes_that_rotate_and_purge_leave_an_intact_log(disk: Disk) -> None:
    """Two keep one segment, two keep three: the smaller number wins, and everything that went is in the record."""
    program = f"""
import sys
from jsonl_audit import AuditLog
with AuditLog({str(disk.path)!r}, shared=True, fsync="never", max_bytes=6000, lock_timeout=60,
              backup_count=int(sys.argv[2])) as log:
    for n in range(150):
        log.append("t", who=sys.argv[1], n=n)
    print(*log.notes, sep="\\n")
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(who), str(1 + 2 * (who % 2))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )
        for who in range(4)
    ]  # fmt: skip
    outputs = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert not any(output.strip() for output in outputs), outputs
    assert said(disk) == PURGED
    assert len(disk.sealed()) <= 3
    for who in range(4):
        found = [record["n"] for record in _all(disk, where={"who": str(who)})]
        assert found == list(range(found[0], 150)) if found else True
    report = verify(disk.path)
    assert report.last_seq is not None
    assert report.last_seq > 600


# -- beside readers


def test_readers_beside_purges_do_not_fail(disk: Disk) -> None:
    """tail, query and follow see what is here, in order and without a gap but for what was purged before they came."""
    done = threading.Event()
    wrong: list[Exception] = []

    def reading() -> None:
        try:
            while not done.is_set():
                told: list[Any] = []
                found = [record["n"] for record in query(disk.path, on_damage=told.append)]
                if told:
                    assert {notice.kind for notice in told} == {"purged"}
                else:
                    assert found == list(range(found[0], found[-1] + 1)) if found else True
                assert found == sorted(set(found))
                assert len(tail(disk.path, 3, on_damage=told.append)) <= 3
                assert {notice.kind for notice in told} <= {"purged"}
        except Exception as error:  # noqa: BLE001 - shown by the test
            wrong.append(error)

    given: list[int] = []

    def following() -> None:
        try:
            found = follow(disk.path, after=0, stop=done, poll=0.001, on_damage=lambda _: None)
            given.extend(record["n"] for record in found)
        except Exception as error:  # noqa: BLE001 - shown by the test
            wrong.append(error)

    with disk.open(max_bytes=4000, backup_count=1) as log:
        threads = [threading.Thread(target=target) for target in (reading, following)]
        for thread in threads:
            thread.start()
        for n in range(1500):
            log.append("t", n=n)
        done.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong
    assert given == sorted(set(given))
    assert given[-1] == 1499
    assert said(disk) == PURGED


@pytest.mark.parametrize("reads", [tail, query, get], ids=["tail", "query", "get"])
def test_who_looks_just_before_all_of_it_is_sealed_and_purged_finds_what_was_there(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, reads: Any
) -> None:
    with disk.make(2, 2).open() as log:
        last = log.last_seq

        def purging_just_now(path: str, read: Any = mark.read) -> Any:
            monkeypatch.undo()
            for n in range(3):
                log.append("later", n=n)
                log.rotate()
            log.purge(keep=1, reason="a test")
            return read(path)

        monkeypatch.setattr(mark, "read", purging_just_now)
        notices: list[Any] = []
        found = get(disk.path, last, on_damage=notices.append) if reads is get else [
            *reads(disk.path, on_damage=notices.append)
        ]  # fmt: skip
    assert found
    assert (found if reads is get else found[-1])["seq"] == last
    assert {notice.kind for notice in notices} <= {"purged"}


def test_who_follows_and_is_overtaken_by_a_purge_is_told_and_goes_on(disk: Disk) -> None:
    told: list[Any] = []
    with disk.open() as log:
        log.append("t", n=0)
        records = follow(disk.path, after=0, poll=0.001, on_damage=told.append)
        assert next(records)["n"] == 0
        for n in range(1, 5):
            log.append("t", n=n)
            log.rotate()
        log.purge(keep=1, reason="x")
        assert next(records)["n"] == 1  # of the file that it has open
        assert next(records)["n"] == 4
        assert [str(notice) for notice in told] == ["records 4 to 7 were purged before they were read"]
        assert told[0].kind == "purged"
        log.append("t", n=5)
        assert next(records)["n"] == 5


def test_who_follows_is_told_of_segments_that_were_purged_just_before_they_were_read(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    with disk.open() as log:

        def purged_just_now(*args: Any, matches: Any = follower.matches, **how: Any) -> Any:
            if log.last_seq > 10:
                monkeypatch.undo()
                log.purge(keep=1, reason="a test")
            return matches(*args, **how)

        log.append("t", n=0)
        records = follow(disk.path, after=0, poll=0.001, control=True, on_damage=told.append)
        seqs = [next(records)["seq"] for _ in range(2)]
        monkeypatch.setattr(follower, "matches", purged_just_now)
        log.rotate()
        for n in range(1, 5):
            log.append("t", n=n)
            log.rotate()
        seqs += [next(records)["seq"] for _ in range(4)]
    assert seqs == [1, 2, *range(9, 13)]
    assert [str(notice) for notice in told] == ["segments 2 to 4 were purged while the log was read"]
    assert told[0].kind == "purged"


def test_a_verifier_beside_purges_raises_no_false_alarm(disk: Disk) -> None:
    done = threading.Event()
    verdicts = set()

    def verifying() -> None:
        while not done.is_set():
            report = verify(disk.path)
            verdicts.add((report.verdict, tuple(str(finding) for finding in report.findings)))

    with disk.open(max_bytes=4000, backup_count=1) as log:
        log.append("t")
        thread = threading.Thread(target=verifying)
        thread.start()
        for n in range(1500):
            log.append("t", n=n)
        done.set()
        thread.join()
    assert verdicts <= {("intact", ())}


# -- what a crash must not make of it


def _put_back(disk: Disk, count: int = 2) -> list[Path]:
    """A purge of which the files are still there."""
    before = {path: path.read_bytes() for path in disk.sealed()[:count]}
    with disk.open() as log:
        log.purge(keep=len(disk.sealed()) - count, reason="r")
        log.append("t", n=99)
    for path, data in before.items():
        path.write_bytes(data)
    return list(before)


def test_what_an_unfinished_purge_left_is_removed_where_the_end_is_torn_too(disk: Disk) -> None:
    left = _put_back(made(disk))
    disk.forget().grow(b'{"seq":')
    with disk.open() as log:
        assert len([note for note in log.notes if "removed" in note]) == 2
    assert not [path for path in left if path.exists()]
    assert said(disk) == ("intact", ["purged-prefix", "documented-torn"])


@pytest.mark.parametrize("shared", [False, True])
def test_the_mark_that_says_the_record_is_on_the_disk_says_what_it_let_go(
    disk: Disk, calls: Calls, tmp_path: Path, shared: bool
) -> None:
    """Who opens by that mark does not read the record."""
    made(disk)
    copies: list[Disk] = []

    def after(name: str, *_: object) -> None:
        if name == "overwrite" and b"audit.purged" in disk.path.read_bytes():
            copies.append(disk.copy(tmp_path / str(len(copies))))

    with disk.open(shared=shared) as log:
        calls.after = after
        log.purge(keep=2, reason="r")
        calls.after = None
    assert copies
    for copy in copies:
        assert b'"purged":{' in copy.lock.read_bytes()[: mark.LENGTH]
        copy.open().close()
        assert len(copy.sealed()) == 2


def test_the_header_behind_a_removed_active_file_repeats_what_was_let_go(disk: Disk) -> None:
    made(disk)
    with disk.open() as log:
        log.purge(keep=3, reason="r")
        log.rotate()
    disk.path.unlink()
    disk.open().close()
    assert headers(disk)[-1]["purged"] == purges(disk)[0]["through"]


def test_the_power_cut_in_the_middle_leaves_no_gap_for_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any of the names may be gone by then, also one in the middle; readers know by the mark, which is on the disk."""
    mount = Mount(monkeypatch)
    log = AuditLog(LOG)
    for _ in range(5):
        log.append("t")
        log.rotate()
    moments: list[SimDisk] = []
    disk = mount.disk
    disk.watch = lambda _: moments.append(disk.copy())
    log.purge(keep=1, reason="old")
    disk.watch = None
    begins: Counter[int] = Counter()
    for moment in moments:
        for mount.disk in moment.power_cuts(sizes=edges, limit=40, chance=random.Random(1)):
            notices: list[Notice] = []
            found = [record["seq"] for record in query(LOG, control=True, on_damage=notices.append)]
            assert (found, notices) == (list(range(found[0], found[-1] + 1)), [])
            begins[found[0]] += 1
    assert set(begins) == {1, 9}
    assert begins[9] > 16, "of four names each may be gone or not"
