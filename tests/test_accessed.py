"""Who reads a log is recorded beside it, or in it, and nothing of the log, nor any read, is the worse for it."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commandline import COMMAND
from disk import Calls, Disk

import jsonl_audit
from jsonl_audit import (
    AsyncAuditLog,
    ReadWarning,
    aio,
    compare,
    examine,
    extract,
    follow,
    get,
    query,
    tail,
    verify,
    views,
)
from jsonl_audit.accessed import origin, setting
from jsonl_audit.accessed.recorder import TOGETHER, Recorder
from jsonl_audit.process import user_name
from jsonl_audit.reader import query_lines
from jsonl_audit.redact import Redactor

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def _beside(disk: Disk) -> Path:
    return disk.folder / "audit.jsonl.d" / "accessed.jsonl"


def _told(disk: Disk) -> list[dict[str, Any]]:
    """The details of the records of reading beside a log, oldest first."""
    path = _beside(disk)
    if not path.exists():
        return []
    lines = query_lines(path, type="audit.accessed")
    return [json.loads(line)["details"] for line in lines]


def _short(disk: Disk) -> list[tuple[Any, ...]]:
    return [(each["operation"], each["filters"], each["records"]) for each in _told(disk)]


# -- what is recorded


def test_a_read_says_who_read_what_from_where_and_how_much(disk: Disk, recorder: Recorder) -> None:
    with disk.open() as log:
        for n in range(3):
            log.append("test.event", actor="ann" if n else "bob")
        log_id = json.loads(disk.lines()[0])["details"]["log"]
    assert len(list(query(disk.path, actor="ann", limit=5))) == 2
    [line] = query_lines(_beside(disk), type="audit.accessed")
    found = json.loads(line)
    assert found["actor"] == {"type": "user", "id": user_name()}
    details = found["details"]
    assert details["log"] == log_id
    assert (details["operation"], details["filters"], details["records"]) == ("query", {"limit": 5, "actor": "ann"}, 2)
    assert details["who"]["user"] == user_name()
    assert details["from"]["pid"] == os.getpid()
    assert {"host", "pid", "program"} <= set(details["from"])
    assert verify(_beside(disk)).verdict == "intact"


def test_every_way_of_reading_is_recorded(disk: Disk, recorder: Recorder, tmp_path: Path) -> None:
    with disk.make(2, 2).open() as log:
        path = disk.path
        assert len(tail(path, 2)) == 2
        assert len(list(query(path, type="test.*"))) == 4
        assert get(path, 2) is not None
        assert get(path, 99) is None
        assert len(list(follow(path, after=5, stop=lambda: True))) == 1
        assert verify(path).verdict == "intact"
        assert log.tail(1)
        assert len(list(log.query(limit=1))) == 1
        assert log.verify(full=True).ok
        assert extract(path, tmp_path / "slice", since=4, exact=True).last_seq == 6
        assert compare(path, disk.sealed()).relation == "lacking"
        assert examine(path).verdict == "intact"
        assert list(views.tool_events(path)) == []
    assert _short(disk)[:10] == [
        ("tail", {"n": 2}, 2),
        ("query", {"type": "test.*"}, 4),
        ("get", {"which": 2}, 1),
        ("get", {"which": 99}, 0),
        ("follow", {"after": 5, "begun": True}, 1),
        ("follow", {"after": 5}, 1),
        ("verify", {"full": False, "verdict": "intact"}, 6),
        ("tail", {"n": 1}, 1),
        ("query", {"limit": 1}, 1),
        ("verify", {"full": True, "verdict": "intact"}, 6),
    ]
    assert _short(disk)[10] == ("extract", {"since": 4, "exact": True, "out": str(tmp_path / "slice")}, 3)
    assert _short(disk)[11:13] == [
        ("diff", {"relation": "lacking"}, 6),
        ("verify", {"full": False, "verdict": "intact", "report": True}, 6),
    ]
    assert _short(disk)[13][0] == "query"


def test_reading_by_asyncio_is_recorded(disk: Disk, recorder: Recorder) -> None:
    async def main() -> None:
        async with AsyncAuditLog(disk.path, fsync="never") as log:
            for _ in range(3):
                await log.append("test.event")
            assert len(await log.tail(2)) == 2
            assert len([each async for each in log.query(type="test.*")]) == 3
            assert (await log.verify()).ok
        assert await aio.get(disk.path, 2)
        async for _ in aio.follow(disk.path, n=1, stop=lambda: True):
            pass

    asyncio.run(main())
    assert _short(disk) == [
        ("tail", {"n": 2}, 2),
        ("query", {"type": "test.*"}, 3),
        ("verify", {"full": False, "verdict": "intact"}, 4),
        ("get", {"which": 2}, 1),
        ("follow", {"n": 1, "begun": True}, 1),
        ("follow", {"n": 1}, 1),
    ]


def test_a_read_that_is_given_up_counts_what_it_was_given(disk: Disk, recorder: Recorder) -> None:
    disk.make(5)
    found = query(disk.path)
    next(found), next(found)
    assert _short(disk) == []
    found.close()  # type: ignore[attr-defined]
    assert _short(disk) == [("query", {}, 2)]


def test_a_long_read_is_recorded_before_it_has_given_much(disk: Disk, recorder: Recorder) -> None:
    with disk.open() as log:
        log.append_group([{"type": "test.event"}] * 1200)
    found = query(disk.path)
    for _ in range(101):
        next(found)
    assert _short(disk) == [("query", {"begun": True}, 100)]


def test_what_was_looked_for_is_recorded_without_secrets_and_in_bounds(disk: Disk, recorder: Recorder) -> None:
    disk.make(2)
    list(query(disk.path, text="password=hunter2"))
    list(query(disk.path, where={"details.n": lambda value: value == 1}))
    list(query(disk.path, actor=["u" * 100] * 100))
    first, second, third = (each["filters"] for each in _told(disk))
    assert first == {"text": "password=<redacted:password>"}
    assert second["where"]["details.n"].startswith("<test_what_was_looked_for")
    assert set(third) == {"bytes", "blake3"}
    assert "hunter2" not in _beside(disk).read_text()


def test_a_changed_setting_counts_at_once(disk: Disk, recorder: Recorder) -> None:
    for accessed, reads in ((None, 0), ("beside", 1), (None, 1)):
        with disk.open(accessed=accessed) as log:
            log.append("t")
        tail(disk.path, 1 + reads)
        recorder.flush()
        assert (len(_told(disk)) if _beside(disk).exists() else 0) == reads


@pytest.mark.parametrize("accessed", ["beside", "log"])
def test_what_the_log_would_redact_stands_in_no_record_of_reading_either(
    disk: Disk, recorder: Recorder, accessed: str
) -> None:
    own = Redactor(names=["ward"], patterns={"employee-id": r"EMP-[0-9]{6}"})
    for redact in (own, "privacy"):
        with disk.open(redact=redact, accessed=accessed) as log:
            log.append("case.opened", details={"ward": "B"})
            list(log.query(type="case.*", text="EMP-004711" if redact is own else "ann@example.com"))
            list(log.query(where={"details.ward": "CARDIO"}) if redact is own else log.query(actor="ann@example.com"))
        recorder.flush()
        kept = b"".join(path.read_bytes() for path in disk.folder.rglob("*") if path.is_file())
        assert b"audit.accessed" in kept
        for secret in (b"EMP-004711", b"CARDIO", b"ann@example.com"):
            assert secret not in kept


# -- counting together


def test_the_same_read_within_a_minute_is_counted_with_the_first(
    disk: Disk, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.make(3)
    clock = [time.monotonic()]
    monkeypatch.setattr("jsonl_audit.accessed.recorder.time.monotonic", lambda: clock[0])
    for _ in range(5):
        tail(disk.path, 2)
    get(disk.path, 2)
    assert _short(disk) == [("tail", {"n": 2}, 2), ("get", {"which": 2}, 1)]
    clock[0] += TOGETHER + 1
    get(disk.path, 3)
    [*_, summed, last] = _told(disk)
    assert (summed["operation"], summed["records"], summed["times"]) == ("tail", 8, 4)
    assert summed["since"] <= json.loads(_beside(disk).read_bytes().splitlines()[-1])["ts"]
    assert last["filters"] == {"which": 3}
    tail(disk.path, 2)
    tail(disk.path, 2)
    recorder.close()
    assert [each.get("times", 1) for each in _told(disk)] == [1, 1, 4, 1, 1, 1]


# -- loops, copies, settings


def test_reading_the_record_of_reading_leaves_none(disk: Disk, recorder: Recorder) -> None:
    disk.make(2)
    tail(disk.path)
    for _ in range(2):
        assert len(tail(_beside(disk), control=True)) == 2
        assert verify(_beside(disk)).ok
    assert not Path(f"{_beside(disk)}.d").exists()
    assert len(_told(disk)) == 1


def test_a_follower_of_a_log_that_records_its_reads_in_itself_does_not_follow_itself(
    disk: Disk, recorder: Recorder
) -> None:
    with disk.open(accessed="log") as log:
        log.append("test.event")
        looks = iter(range(10))
        given = [record["type"] for record in follow(disk.path, n=10, poll=0.001, control=True,
                                                     stop=lambda: next(looks) > 8)]  # fmt: skip
        assert given.count("audit.accessed") == 1
        kinds = [record["type"] for record in query(disk.path, control=True)]
        assert kinds.count("audit.accessed") == 2
    assert not _beside(disk).exists()


def test_a_copy_is_read_without_a_record(disk: Disk, tmp_path: Path, recorder: Recorder) -> None:
    with disk.open() as log:
        log.append("test.event")
        copy = disk.copy(tmp_path / "copy")
    before = copy.content()
    assert tail(copy.path)
    assert verify(copy.path).ok
    assert copy.content() == before
    tail(disk.path)
    assert [each["operation"] for each in _told(disk)] == ["tail"]


def test_a_log_that_tells_no_such_setting_is_read_without_a_record(
    vectors: Path, tmp_path: Path, recorder: Recorder
) -> None:
    folder = tmp_path / "vectors"
    shutil.copytree(vectors / "intact-three-segments", folder)
    before = {path.name for path in folder.rglob("*")}
    verify(folder)
    assert {path.name for path in folder.rglob("*")} == before


@pytest.mark.parametrize("off", [None, "off"])
def test_off_is_off_and_the_change_is_in_the_log(disk: Disk, recorder: Recorder, off: str | None) -> None:
    disk.make(2)
    with disk.open(accessed=off) as log:
        log.append("test.event")
        assert tail(disk.path)
    [change] = query(disk.path, type="audit.settings")
    assert (change["details"]["settings"]["accessed"], change["details"]["was"]) == (None, {"accessed": "beside"})
    assert not _beside(disk).exists()
    with disk.open() as log:
        log.append("test.event")
        setting.forget()
        tail(disk.path)
    assert _short(disk)[-1][0] == "tail"


@pytest.mark.parametrize("value", ["on", True, 1, ""])
def test_any_other_setting_is_refused(disk: Disk, value: Any) -> None:
    with pytest.raises(ValueError, match="accessed is 'beside', 'log', or None"):
        disk.open(accessed=value)
    assert not disk.path.exists()


def test_reads_go_on_being_recorded_across_rotation_before_the_next_mark(disk: Disk, recorder: Recorder) -> None:
    with disk.open() as log:
        for _ in range(3):
            log.append("test.event")
            log.rotate()
            setting.forget()
            tail(disk.path, 1)
            tail(disk.path, 2)
            recorder.flush()
    assert sum(each.get("times", 1) for each in _told(disk)) == 6


def test_nothing_of_a_log_is_changed_by_reading_it(disk: Disk, recorder: Recorder) -> None:
    disk.make(2, 2)
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in disk.folder.iterdir()}
    tail(disk.path)
    verify(disk.path)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files} == files
    assert {path.name for path in disk.folder.iterdir()} - {path.name for path in files} == {"audit.jsonl.d"}
    assert verify(disk.path).notes == ()


# -- in the log itself


def test_in_the_log_itself_through_the_appender_that_has_it(disk: Disk, recorder: Recorder) -> None:
    with disk.open(accessed="log") as log:
        receipt = log.append("test.event")
        assert len(tail(disk.path)) == 1
        assert log.last_seq == receipt.seq + 1
        assert len(log.tail()) == 1
    found = list(query(disk.path, type="audit.accessed"))
    assert [record["details"]["operation"] for record in found] == ["tail"]
    assert verify(disk.path).verdict == "intact"
    assert not _beside(disk).exists()


@pytest.mark.exhaustive
def test_in_the_log_itself_where_nobody_holds_it_and_beside_it_where_somebody_does(
    disk: Disk, recorder: Recorder
) -> None:
    with disk.open(accessed="log") as log:
        log.append("test.event")
    last = disk.lines()
    tail(disk.path, 1)
    assert disk.lines()[:-1] == last
    assert json.loads(disk.lines()[-1])["type"] == "audit.accessed"
    script = (
        "import sys, jsonl_audit\n"
        "log = jsonl_audit.AuditLog(sys.argv[1], accessed='log')\n"
        "print(1, flush=True)\ninput()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, disk.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        tail(disk.path, 2)
        holder.communicate(b"\n")
    assert [each["filters"] for each in _told(disk)] == [{"n": 2}]
    assert verify(disk.path).verdict == "intact"


# -- where it is not possible


def test_where_it_cannot_be_recorded_the_read_goes_on_and_says_so_once(disk: Disk, recorder: Recorder) -> None:
    disk.make(3)
    (disk.folder / "audit.jsonl.d").write_text("in the way")
    with pytest.warns(ReadWarning, match=r"could not be recorded .*; it was read all the same"):
        assert len(tail(disk.path)) == 3
    assert len(list(query(disk.path))) == 3  # a second warning would be an error here
    assert verify(disk.path).ok
    told: list[Any] = []
    recorder.told.clear()
    assert len(tail(disk.path, 2, on_damage=told.append)) == 2
    assert [each.kind for each in told] == ["not-recorded"]


@pytest.mark.parametrize("call", ["open_append", "open_lock", "write", "make_directory", "stat"])
def test_what_the_disk_refuses_never_fails_a_read(disk: Disk, recorder: Recorder, calls: Calls, call: str) -> None:
    disk.make(3)
    calls.fail(call, for_ever=True, error=28, about="audit.jsonl.d")
    told: list[Any] = []
    assert len(tail(disk.path, on_damage=told.append)) == 3
    assert [each.kind for each in told] == ["not-recorded"]
    calls.heal()
    assert len(tail(disk.path, 2, on_damage=told.append)) == 2
    assert [each["filters"] for each in _told(disk)][-1] == {"n": 2}
    assert len(told) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: path.write_text("hello\n")])
@pytest.mark.parametrize("name", ["accessed.jsonl", "accessed.jsonl.lock", "accessed.jsonl.next"])
def test_what_stands_in_its_place_holds_up_no_read(
    disk: Disk, recorder: Recorder, name: str, put: Callable[[Path], object]
) -> None:
    disk.make(2)
    _beside(disk).parent.mkdir()
    put(_beside(disk).parent / name)
    assert len(tail(disk.path, on_damage=lambda _: None)) == 2
    assert len(tail(disk.path, 1, on_damage=lambda _: None)) == 1


def test_its_folder_may_be_taken_away_meanwhile(disk: Disk, recorder: Recorder) -> None:
    disk.make(3)
    tail(disk.path, 1)
    shutil.rmtree(disk.folder / "audit.jsonl.d")
    tail(disk.path, 2)
    assert _short(disk) == [("tail", {"n": 2}, 2)]
    assert verify(_beside(disk)).verdict == "incomplete"  # what was there is missed


@pytest.fixture
def theirs() -> Iterator[Disk]:
    """The log of another user, in a folder of theirs to which every folder on the way can be passed."""
    if not ROOT or sys.platform != "linux":
        pytest.skip("needs root, and to act as another user")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "log").mkdir()
    disk = Disk(folder / "log").make(2)
    for path in (disk.folder, *disk.folder.iterdir()):
        os.chown(path, 12345, 12345)
    yield disk
    shutil.rmtree(folder)


def test_what_root_reads_of_somebodys_log_is_recorded_in_files_of_theirs(theirs: Disk, recorder: Recorder) -> None:
    tail(theirs.path)
    folder = theirs.folder / "audit.jsonl.d"
    assert {path.stat().st_uid for path in (folder, *folder.iterdir())} == {12345}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert _told(theirs)[0]["who"]["uid"] == 0
    (theirs.folder.parent / "roots").write_text("")  # and root is root again
    assert (theirs.folder.parent / "roots").stat().st_uid == 0
    recorder.close()
    assert verify(_beside(theirs)).verdict == "intact"


def _link_to_file(disk: Disk, target: Path) -> None:
    _beside(disk).parent.mkdir()
    _beside(disk).symlink_to(target / "preload")


def _link_to_lock(disk: Disk, target: Path) -> None:
    _beside(disk).parent.mkdir()
    Path(f"{_beside(disk)}.lock").symlink_to(target / "preload")


def _link_to_folder(disk: Disk, target: Path) -> None:
    _beside(disk).parent.symlink_to(target)


@pytest.mark.parametrize("link", [_link_to_file, _link_to_lock, _link_to_folder])
def test_root_is_not_led_elsewhere_by_whoever_owns_the_log(
    theirs: Disk, recorder: Recorder, link: Callable[[Disk, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = theirs.folder.parent / "roots"
    target.mkdir()
    link(theirs, target)
    for path in (_beside(theirs).parent, *_beside(theirs).parent.iterdir()):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    told: list[Any] = []
    assert len(tail(theirs.path, on_damage=told.append)) == 2
    assert [each.kind for each in told] == ["not-recorded"]
    # Also where the link is put there between a look and the opening: root is no more than its owner then.
    monkeypatch.setattr("jsonl_audit.accessed.beside.Beside._prepare", lambda _: None)
    assert len(tail(theirs.path, 1, on_damage=told.append)) == 1
    assert list(target.iterdir()) == []
    assert target.stat().st_uid == 0


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_a_folder_of_anybody_elses_is_not_written_to(disk: Disk, recorder: Recorder) -> None:
    disk.make(2)
    _beside(disk).parent.mkdir()
    os.chown(_beside(disk).parent, 12345, 12345)
    told: list[Any] = []
    assert len(tail(disk.path, on_damage=told.append)) == 2
    assert "no folder or file of the log's owner" in str(told[0])
    assert list(_beside(disk).parent.iterdir()) == []


def test_another_log_at_the_same_path_has_nothing_to_do_with_the_reads_of_the_first(
    disk: Disk, recorder: Recorder
) -> None:
    for _ in range(2):
        disk.make(3)
        for n in (1, 1, 2):
            tail(disk.path, n)
        assert [filters["n"] for _, filters, _ in _short(disk)] == [1, 2]
        assert verify(_beside(disk)).verdict == "intact"
        shutil.rmtree(disk.folder)
        disk.folder.mkdir(mode=0o700)
    recorder.flush()
    assert disk.names() == set()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_a_guest_reads_and_makes_no_folder_that_is_the_owners(
    disk: Disk, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.make(2)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    told: list[Any] = []
    assert len(tail(disk.path, on_damage=told.append)) == 2
    assert "only the log's owner makes its folder" in str(told[0])
    assert not (disk.folder / "audit.jsonl.d").exists()


# -- many readers, children, the end


@pytest.mark.exhaustive
def test_many_threads_and_processes_read_and_every_read_is_counted(disk: Disk, recorder: Recorder) -> None:
    disk.make(3)
    script = (
        "import sys, jsonl_audit\n"
        "for n in range(20): jsonl_audit.tail(sys.argv[1], 1 + n % 4)\n"
        "jsonl_audit.get(sys.argv[1], 2)\n"
    )
    children = [subprocess.Popen([sys.executable, "-W", "error", "-c", script, disk.path]) for _ in range(3)]
    threads = [
        threading.Thread(target=lambda: [tail(disk.path, 1 + n % 4) for n in range(20)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait() for child in children] == [0, 0, 0]
    recorder.close()
    assert verify(_beside(disk), full=True).verdict == "intact"
    told = _told(disk)
    assert sum(each.get("times", 1) for each in told if each["operation"] == "tail") == 20 * 7
    assert sum(each.get("times", 1) for each in told if each["operation"] == "get") == 3


@pytest.mark.exhaustive
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_tells_its_own_reads_and_not_its_parents(disk: Disk) -> None:
    disk.make(3)
    script = (
        "import os, sys, jsonl_audit\n"
        "read = lambda n: jsonl_audit.tail(sys.argv[1], n)\n"
        "read(1); read(1)\n"
        "child = os.fork()\n"
        "read(2); read(2); read(2)\n"
        "if child: assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", script, disk.path], check=True)
    told = _told(disk)
    counts = sorted((each["filters"]["n"], each.get("times", 1)) for each in told)
    assert counts == [(1, 1), (1, 1), (2, 1), (2, 1), (2, 2), (2, 2)]
    assert len({each["from"]["pid"] for each in told}) == 2
    assert verify(_beside(disk)).ok


@pytest.mark.exhaustive
@pytest.mark.parametrize("end", ["pass", "sys.exit(3)", "raise KeyboardInterrupt"])
def test_a_read_that_is_under_way_when_the_process_ends_is_recorded(disk: Disk, end: str) -> None:
    disk.make(3)
    script = (
        "import sys, jsonl_audit\n"
        "found = jsonl_audit.query(sys.argv[1])\n"
        f"next(found)\n{end}\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, disk.path], capture_output=True, text=True)
    assert "Exception ignored" not in ran.stderr
    assert _short(disk) == [("query", {}, 1)]


def test_the_public_ways_of_reading_can_be_sent_to_another_process() -> None:
    for name in ("query", "tail", "follow", "get", "verify"):
        function: Callable[..., Any] = getattr(jsonl_audit, name)
        assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301 - our own bytes
        assert (function.__name__, bool(function.__doc__)) == (name, True)


@pytest.mark.exhaustive
def test_the_commands_record_their_reads(disk: Disk) -> None:
    with disk.make(3).open() as log:
        stored = log.attach(b"content")["artifact"]
    for args in (["tail", "-n", "2"], ["query", "--type", "test.*", "--count"], ["get", "2"], ["verify", "-q"],
                 ["extract", "--to", "2", "slice"], ["artifact", stored]):  # fmt: skip
        subprocess.run([*COMMAND, *args], cwd=disk.folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    told = _short(disk)
    assert [(operation, count) for operation, _, count in told] == [
        ("tail", 2), ("query", 3), ("get", 1), ("verify", 4), ("extract", 2), ("artifact", 1),
    ]  # fmt: skip
    assert "__main__.py" in {each["from"]["program"] for each in _told(disk)}


@pytest.mark.exhaustive
def test_a_command_turns_it_off_and_on(disk: Disk) -> None:
    def run(*args: str) -> None:
        subprocess.run([*COMMAND, *args], cwd=disk.folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    run("append", "--type", "t", "--accessed", "off")
    run("tail")
    assert not _beside(disk).exists()
    run("append", "--type", "t", "--accessed", "beside")
    run("tail")
    run("append", "--type", "t")
    assert len(_told(disk)) == 1
    changes = list(query_lines(disk.path, type="audit.settings"))
    assert len(changes) == 1


def test_a_read_that_a_collection_ends_in_the_middle_of_a_record_is_recorded_behind_it(
    disk: Disk, recorder: Recorder, calls: Calls
) -> None:
    for n, setting_of_log in enumerate(("beside", "log"), 3):
        with disk.open(accessed=setting_of_log) as log:
            log.append("test.event")
            setting.forget()
            held = [query(disk.path, limit=n + 10)]
            next(held[0])

            def collected(name: str, args: tuple[Any, ...], held: list[Any] = held) -> None:
                if name == "write" and held:
                    held.pop().close()

            calls.before = collected
            assert tail(disk.path, n)
            assert not held
            if setting_of_log == "log":
                held.append(query(disk.path, limit=3))
                next(held[0])
                log.append("test.event")  # in the middle of a commit of the log's own
            calls.heal()
            assert not held
    assert [filters for _, filters, _ in _short(disk)] == [{"n": 3}, {"limit": 13}, {"limit": 3}]
    kinds = [record["details"]["filters"] for record in query(disk.path, type="audit.accessed")]
    assert kinds == [{"n": 4}, {"limit": 14}]
    assert verify(disk.path).ok


# -- who


def test_the_origin_names_the_ssh_client_and_who_logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "_found", None)
    monkeypatch.setattr(origin, "_login", lambda: os.geteuid() + 1 if hasattr(os, "geteuid") else 1)
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.7 50000 10.0.0.1 22")
    found = origin.this_reader()
    assert found["from"]["ssh"] == "203.0.113.7"
    assert "login" in found["who"]
    monkeypatch.setattr(origin, "_found", None)


def test_the_log_of_reads_is_bounded(disk: Disk, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jsonl_audit.accessed.beside._SEGMENT", 4096)
    monkeypatch.setattr("jsonl_audit.accessed.beside._SEGMENTS", 2)
    disk.make(3)
    for n in range(60):
        get(disk.path, 1000 + n)
    files = [path for path in _beside(disk).parent.iterdir() if path.suffix == ".jsonl"]
    assert len(files) == 3
    assert verify(_beside(disk)).verdict == "intact"
    assert [note.kind for note in verify(_beside(disk)).notes] == ["purged-prefix"]


def test_whoever_reads_many_logs_keeps_few_files_open(tmp_path: Path, recorder: Recorder) -> None:
    for number in range(20):
        folder = tmp_path / str(number)
        folder.mkdir()
        tail(Disk(folder).make(1).path)
    assert len(recorder.beside) == 16
    assert [len(_told(Disk(tmp_path / str(number)))) for number in range(20)] == [1] * 20


@pytest.fixture(autouse=True)
def _no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
