"""Following a log gives each record once, as it is committed, whatever happens to the files meanwhile."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk, open_below
from logs import Log, build
from reads import Reader, seqs

from jsonl_audit import AuditError, AuditLog, QueryError, SyncError, WrongLogError, follow, query, record
from jsonl_audit.reader import follow_lines

# -- where it begins


def test_it_begins_with_what_is_committed_from_now_on(log_dir: Path) -> None:
    log = build(log_dir, segments=2, events=2)
    reader = Reader(log.active)
    log.add()
    assert reader.new() == [7]
    assert reader.new() == []
    log.fill(2)
    assert reader.new() == [8, 9]


def test_now_is_when_follow_is_called_not_when_it_is_first_asked(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    found = follow(log.active, stop=lambda: True)
    log.add()
    assert [each["seq"] for each in found] == [3]


def test_all_that_is_committed_before_it_is_first_asked_comes_behind_the_last_records(log_dir: Path) -> None:
    log = build(log_dir, segments=2, events=2)
    found = follow(log.active, n=2, stop=lambda: True)
    log.fill(3).seal().fill(1)
    assert [each["seq"] for each in found] == [5, 6, 7, 8, 9, 11]


def test_all_of_a_log_that_was_not_there_is_new(log_dir: Path) -> None:
    found = follow(log_dir / "audit.jsonl", n=2, stop=lambda: True)
    build(log_dir, segments=1, events=4)
    assert [each["seq"] for each in found] == [2, 3, 4, 5]


def test_what_was_purged_of_a_new_log_before_it_is_first_asked_is_told(log_dir: Path) -> None:
    reader = Reader(log_dir / "audit.jsonl")
    build(log_dir, segments=3, events=2).purge(1).seal()
    assert reader.new() == [4, 5, 6, 7, 8, 9, 10, 11]
    assert [notice.message for notice in reader.notices] == ["records 1 to 3 were purged before they were read"]


def test_what_a_failed_sync_takes_back_before_it_looks_is_never_given(disk: Disk, calls: Calls) -> None:
    log = disk.open()
    log.append("t")
    log.flush()
    reader = Reader(disk.path, after=1)
    assert reader.new() == [2]
    log.append("t")
    calls.fail("sync")
    with pytest.raises(SyncError):
        log.flush()
    calls.heal()
    assert reader.new() == [] == seqs(disk.path, after=2)
    log.append("t")
    log.close()
    assert reader.new() == [3, 4, 5] == seqs(disk.path, after=2)
    assert not reader.notices


def test_it_begins_with_the_last_records_if_told_so(log_dir: Path) -> None:
    log = build(log_dir, segments=3, events=2)
    reader = Reader(log.active, n=4)
    assert reader.new() == [6, 7, 8, 9]
    log.add()
    assert reader.new() == [10]
    assert Reader(log.active, n=2, type="test.*").new() == [9, 10]
    assert Reader(log.active, n=100).new() == list(range(1, 11))


@pytest.mark.parametrize("with_hash", [False, True])
def test_it_goes_on_behind_a_seq_and_behind_a_seq_with_its_hash(log_dir: Path, with_hash: bool) -> None:
    log = build(log_dir, segments=3, events=2)
    fourth = next(query(log.active, after=3, control=True))
    reader = Reader(log.active, after=(4, fourth["hash"]) if with_hash else 4)
    assert reader.new() == [5, 6, 7, 8, 9]
    log.add()
    assert reader.new() == [10]


def test_a_cursor_that_is_not_of_this_log_is_refused(log_dir: Path) -> None:
    log = build(log_dir, segments=3, events=2)
    for seq in (4, 40):
        with pytest.raises(WrongLogError):
            Reader(log.active, after=(seq, "f" * 64)).new()


def test_a_seq_that_is_not_there_yet_is_waited_for(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    reader = Reader(log.active, after=5)
    assert reader.new() == []
    log.fill(4).seal()
    assert reader.new() == [6, 7, 8]


def test_a_log_that_is_not_there_yet_is_waited_for(log_dir: Path) -> None:
    path = log_dir / "folder" / "audit.jsonl"
    reader = Reader(path)
    assert reader.new() == []
    path.parent.mkdir()
    assert reader.new() == []
    path.touch()
    assert reader.new() == []
    path.unlink()
    log = Log(path.parent)
    log.add()
    assert reader.new() == [1, 2]


# -- as the log grows


@pytest.mark.parametrize("block", [1, 300, 1 << 20])
def test_it_goes_on_across_rotation(log_dir: Path, block: int) -> None:
    log = build(log_dir, segments=1, events=1)
    reader = Reader(log.active, after=0, block=block)
    assert reader.new() == [1, 2]
    log.add()
    log.seal().fill(2)
    assert reader.new() == [3, 4, 5, 6]
    for _ in range(3):
        log.fill(1).seal()
    assert reader.new() == list(range(7, 13))


def test_filters_are_asked_about_what_is_new(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    reader = Reader(log.active, type="a.*", actor="u1")
    log.add("a.x", actor="u1")
    log.add("a.x", actor="u2")
    log.add("b.x", actor="u1")
    log.seal()
    log.add("a.y", actor="u1")
    assert reader.new() == [3, 7]


def test_of_a_batch_it_waits_for_the_last_record(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    reader = Reader(log.active)
    for number in (1, 2, 3):
        assert reader.new() == []
        log._put(record.encode({"type": "batched"}), batch=(number, 3))
    assert reader.new() == [3, 4, 5]


def test_of_a_line_it_waits_for_the_end(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    whole = log.read(1)
    log.cut(1, len(whole) - 100)
    with log.active.open("r+b") as file:
        reader = Reader(log.active)
        file.seek(0, os.SEEK_END)
        for number in range(len(whole) - 100, len(whole)):
            assert reader.new() == []
            file.write(whole[number : number + 1])
            file.flush()
    assert reader.new() == [3]


def test_it_reads_next_as_the_active_file_between_the_two_renames_of_a_sealing(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    reader = Reader(log.active)
    log.add()
    log.seal()
    following = log.active.with_name("audit.jsonl.next")
    log.active.rename(following)
    assert reader.new() == [3, 4]
    assert reader.new() == []
    following.rename(log.active)
    log.add()
    assert reader.new() == [5]


def test_it_goes_on_in_a_file_put_back_with_the_same_content(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    reader = Reader(log.active)
    content = log.read(1)
    log.active.unlink()
    assert reader.new() == []
    log.active.write_bytes(content)
    log.add()
    assert reader.new() == [4]


def test_damage_is_told_once(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    reader = Reader(log.active, after=0)
    log.raw(b"rubbish\n")
    log.add()
    assert reader.new() == [1, 2, 3]
    log.add()
    log.seal()
    assert reader.new() == [4, 5]
    assert [str(notice)[:22] for notice in reader.notices] == ["line 3 of audit.jsonl "]


# -- what must not go unnoticed


def test_records_that_a_failed_sync_took_back_are_named(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    reader = Reader(log.active, after=0)
    kept, size = log.head, log._size
    log.fill(2)
    assert reader.new() == [1, 2, 3, 4, 5]
    log.seq, log.head, log._size = 3, kept, size
    log.seal(torn_bytes=-1)
    log.add()
    assert reader.new() == [4, 5]
    assert [str(notice) for notice in reader.notices] == [
        "records 4 to 5, given before, did not reach the disk and are void; seqs go on from 4"
    ]


def _replaced(log: Log) -> None:
    log.active.unlink()
    build(log.directory, segments=1, events=9, log="0190c0de-0000-7000-8000-00000000ffff")


def _rolled_back(log: Log) -> None:
    content = b"".join(log.lines(1)[:2])
    log.active.unlink()
    log.active.write_bytes(content)


@pytest.mark.parametrize("harm", [_replaced, _rolled_back, lambda log: log.cut(1, len(log.lines(1)[0]))])
def test_a_log_that_is_not_the_same_any_more_is_noticed(log_dir: Path, harm: Any) -> None:
    log = build(log_dir, segments=1, events=3)
    reader = Reader(log.active)
    harm(log)
    with pytest.raises(WrongLogError):
        reader.new()


def test_a_file_cut_and_written_anew_to_the_same_length_is_noticed(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=3)
    reader = Reader(log.active)
    head = log.lines(1)[0]
    log.cut(1, len(head))
    log.seq, log.head, log._size = 1, head[-67:-3].decode(), len(head)
    log.fill(6)
    with pytest.raises(WrongLogError):
        reader.new()


def test_what_is_no_log_is_refused_at_once(log_dir: Path) -> None:
    (log_dir / "audit.jsonl").write_bytes(b"hello\n")
    with pytest.raises(AuditError, match="not a log"):
        follow(log_dir / "audit.jsonl")


@pytest.mark.parametrize("how", [{"n": -1}, {"poll": 0}, {"stop": 7}, {"after": -1}, {"n": 1, "after": 1}])
def test_arguments_that_make_no_sense_are_refused_at_once(how: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        follow("there-is-no-such-log.jsonl", **how)
    with pytest.raises(TypeError, match="did you mean 'actor'"):
        follow("there-is-no-such-log.jsonl", acto="u1")  # type: ignore[call-arg]


# -- waiting and ending


def test_stop_ends_it_once_all_that_is_there_was_given(log_dir: Path) -> None:
    log = build(log_dir, segments=3, events=2)
    stop = threading.Event()
    stop.set()
    assert [each["seq"] for each in follow(log.active, after=0, stop=stop, control=True)] == list(range(1, 10))
    assert list(follow_lines(log.active, n=2, stop=lambda: True)) == log.lines(3)[-2:]


def test_an_event_that_is_set_wakes_it(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    began = time.monotonic()
    assert list(follow(log.active, stop=stop, poll=60)) == []
    assert time.monotonic() - began < 10


def test_it_wakes_within_200_ms(log_dir: Path) -> None:
    path = log_dir / "audit.jsonl"
    with AuditLog(path, fsync="never", max_bytes=1500) as log:
        found = follow(path)
        late = []
        for number in range(8):
            threading.Timer(0.06, lambda number=number: log.append("x", n=number, at=time.time())).start()
            got = next(found)
            late.append(time.time() - got["at"])
            assert got["n"] == number
        assert sorted(late)[4] < 0.2


def test_beside_a_fast_writer_that_rotates_nothing_is_missed_or_repeated(log_dir: Path) -> None:
    path = log_dir / "audit.jsonl"
    stop = threading.Event()

    def write() -> None:
        with AuditLog(path, max_bytes=3000, fsync="never") as log:
            for number in range(200):
                log.append("x", n=number, pad="y" * (number % 7) * 60)
                if number % 9 == 0:
                    log.append_many([{"type": "b"}] * 3)
                if number % 20 == 0:
                    time.sleep(0.002)
        stop.set()

    writer = threading.Thread(target=write)
    found = follow(path, stop=stop, poll=0.001, control=True)
    writer.start()
    got = [each["seq"] for each in found]
    writer.join()
    assert got == list(range(1, len(got) + 1))
    assert got == [each["seq"] for each in query(path, control=True)]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child")
def test_ctrl_c_ends_it_as_it_ends_any_loop(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=1)
    script = (
        "import sys\nfrom jsonl_audit import follow\n"
        "try:\n    for record in follow(sys.argv[1], n=1):\n        print(record['seq'], flush=True)\n"
        "except KeyboardInterrupt:\n    print('ended')\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script, str(log.active)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "2\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert (out, err) == ("ended\n", "")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files cannot be counted here")
def test_no_file_stays_open_behind_it(log_dir: Path) -> None:
    log = build(log_dir, segments=3, events=2)
    found = follow(log.active, after=0)
    assert len(list(itertools.islice(found, 3))) == 3
    found.close()  # type: ignore[attr-defined]
    some = query(log.active)
    next(some)
    some.close()  # type: ignore[attr-defined]
    del found, some
    assert open_below(log_dir) == 0
