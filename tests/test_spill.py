"""Events held in a spill log while the log cannot be written, and brought in when it can: once, in order, marked."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk, chain, until_well

from jsonl_audit import AuditLog, EventTooLargeError, SpilledReceipt, StorageError, query, verify
from jsonl_audit.segment import Names
from jsonl_audit.writer import arrears, background, policy, registry, spill
from jsonl_audit.writer.spillplace import SpillPlace

pytestmark = pytest.mark.usefixtures("quick_disk")

NO_SPACE = errno.ENOSPC


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(policy, "TRY_EVERY", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere"


def hold(disk: Disk, calls: Calls) -> None:
    """From now on the log cannot be written; other places can."""
    calls.fail("write", error=NO_SPACE, about=f"{disk.folder}{os.sep}", for_ever=True)


def spilling(disk: Disk, elsewhere: Path, **options: Any) -> AuditLog:
    return disk.open(on_error="spill", spill_path=elsewhere, **options)


def files(elsewhere: Path) -> list[Path]:
    return sorted(path for path in elsewhere.rglob("*") if path.is_file())


def spill_log(elsewhere: Path) -> Path:
    [path] = [path for path in files(elsewhere) if path.name.endswith(".jsonl")]
    return path


def control(disk: Disk, kind: str) -> list[dict[str, Any]]:
    return [record["details"] for record in chain(disk).records if record["type"] == kind]


def numbers(disk: Disk) -> list[int]:
    return [record["n"] for record in chain(disk).events]


# -- holding and bringing in


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_events_are_held_and_brought_in(disk: Disk, calls: Calls, elsewhere: Path, fsync: str) -> None:
    log = spilling(disk, elsewhere, fsync=fsync)
    log.append("t", n=0)
    hold(disk, calls)
    receipts = [
        log.append("t", n=1),
        *log.append_many([{"n": 2}, {"n": 3}]),
        *log.append_group([{"n": 4}, {"n": 5}]),
    ]
    assert [type(receipt) for receipt in receipts] == [SpilledReceipt] * 5
    assert not any(receipt.recorded for receipt in receipts)
    there = list(query(spill_log(elsewhere)))
    assert [(r["seq"], r["ts"], r["id"], r["hash"]) for r in there] == [tuple(receipt) for receipt in receipts]
    assert verify(spill_log(elsewhere), full=True).verdict == "intact"
    calls.heal()
    assert log.append("t", n=6).recorded
    log.close()
    found = chain(disk)
    assert numbers(disk) == list(range(7))
    for record, receipt in zip(found.events[1:6], receipts, strict=True):
        assert record["id"] == receipt.id
        assert record["time"] == receipt.ts
        assert (record["held"]["seq"], record["held"]["ts"]) == (receipt.seq, receipt.ts)
    assert [record.get("batch") for record in found.events] == [None, None, [1, 2], [2, 2], None, None, None]
    [told] = control(disk, "audit.spilled")
    assert told["count"] == 5
    assert (told["first"], told["last"]) == (receipts[0].ts, receipts[-1].ts)
    assert (told["first_seq"], told["last_seq"]) == (found.events[1]["seq"], found.events[5]["seq"])
    assert (told["log"], told["head"]) == (found.events[1]["held"]["log"], receipts[-1].hash)
    assert told["errno"] == NO_SPACE
    assert "No space" in told["cause"]
    assert files(elsewhere) == []
    assert verify(disk.path, full=True).verdict == "intact"


def test_an_event_keeps_its_own_time_and_id_and_whatever_it_says(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    own = "0190f0c0-0000-7000-8000-000000000001"
    when = "2026-01-02T03:04:05.000000Z"
    event = {
        "type": "t", "n": 1, "id": own, "time": when, "held": {"log": "mine"}, "held~": 1,
        "text": 'ä "quoted" \u2028 \n', "big": 2**64 - 1, "small": -(2**63), "float": 1.5e-300,
        "odd": {1: float("nan")},
        "hash": "x", "batch": [1, 2],
    }  # fmt: skip
    plain = Disk(elsewhere.parent / "plain")
    plain.folder.mkdir()
    with plain.open() as log:
        log.append(event)
    [expected] = query(plain.path)
    with spilling(disk, elsewhere) as log:
        hold(disk, calls)
        log.append(event)
        calls.heal()
    [record] = chain(disk).events
    assert record.pop("held~~")["seq"] == 4
    for name in ("seq", "ts", "prev", "hash"):
        del record[name], expected[name]
    assert record == expected
    assert verify(disk.path, full=True).verdict == "intact"


def test_the_default_place_is_private(disk: Disk, calls: Calls, tmp_path: Path) -> None:
    log = disk.open(on_error="spill")
    hold(disk, calls)
    log.append("t", n=1)
    place = SpillPlace(Names.of(disk.path), None)
    assert Path(place.path).parent.parent == tmp_path
    assert Path(place.path).name.startswith("audit.jsonl-")
    for folder in (Path(place.path), Path(place.path).parent):
        assert folder.stat().st_mode & 0o7777 == 0o700
    [path] = Path(place.path).glob("*.jsonl")
    assert path.name.startswith(f"{os.getpid()}-")
    assert path.stat().st_mode & 0o7777 == 0o600
    calls.heal()
    log.close()
    assert numbers(disk) == [1]


@pytest.mark.parametrize("how", ["symlink", "file", "open to others", "another's"])
def test_a_place_that_is_not_private_is_not_used(
    disk: Disk, calls: Calls, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(SpillPlace(Names.of(disk.path), None).above)
    if how == "symlink":
        (tmp_path / "theirs").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "theirs")
    elif how == "file":
        folder.touch()
    else:
        folder.mkdir(mode=0o700)
        folder.chmod(0o777 if how == "open to others" else 0o700)
    if how == "another's":
        if os.getuid():
            pytest.skip("only root can give a folder away")
        os.chown(folder, 12345, 12345)
    log = disk.open(on_error="spill")
    hold(disk, calls)
    with pytest.raises(StorageError, match=r"neither to the log .* nor to its spill log"):
        log.append("t", n=1)
    calls.heal()
    log.append("t", n=2)
    log.close()
    assert numbers(disk) == [2]
    [lost] = control(disk, "audit.lost")
    assert (lost["why"], lost["count"]) == ("not-spilled", 1)


def test_where_the_spill_place_is_full_too_the_caller_is_told(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere)
    hold(disk, calls)
    held = log.append("t", n=1)
    calls.fail("write", error=NO_SPACE, for_ever=True)
    for n in (2, 3):
        with pytest.raises(StorageError, match="neither") as caught:
            log.append("t", n=n)
        assert caught.value.errno == NO_SPACE
    hold(disk, calls)
    log.append("t", n=4)
    calls.heal()
    log.append("t", n=5)
    log.close()
    assert numbers(disk) == [1, 4, 5]
    assert held.id in chain(disk).ids
    assert [each["count"] for each in control(disk, "audit.lost")] == [2]
    assert [each["count"] for each in control(disk, "audit.spilled")] == [2]


def test_a_line_leaves_room_for_its_marks(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere, line_limit=2048, artifacts=False)
    with pytest.raises(EventTooLargeError) as caught:
        log.append("t", text="x" * 2048)
    assert caught.value.expected == 2048 - spill.HELD_ROOM
    size = 2048
    while True:
        size -= 1
        try:
            log.append("t", n=0, text="x" * size)
            break
        except EventTooLargeError:
            pass
    hold(disk, calls)
    log.append("t", n=1, text="x" * size)
    calls.heal()
    log.close()
    assert max(len(line) for path in [*disk.sealed(), disk.path] for line in disk.lines(path)) <= 2048
    assert numbers(disk) == [0, 1]


def test_a_batch_that_its_marks_take_past_the_limit_is_brought_in_record_by_record(
    disk: Disk, calls: Calls, elsewhere: Path
) -> None:
    log = spilling(disk, elsewhere)
    hold(disk, calls)
    log.append_many([{"n": n, "text": "x" * (32_256 - 330)} for n in range(520)])
    calls.heal()
    log.close()
    assert numbers(disk) == list(range(520))
    assert control(disk, "audit.spilled")[0]["split"] is True


def test_many_held_events_come_in_parts_and_in_order(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere, max_bytes=100_000)
    hold(disk, calls)
    for start in range(0, 3000, 100):
        log.append_group([{"n": n} for n in range(start, start + 100)])
    assert log._policy.arrears.held == 3000
    calls.heal()
    log.flush()
    log.append("t", n=3000)
    log.close()
    assert numbers(disk) == list(range(3001))
    assert [each["count"] for each in control(disk, "audit.spilled")] == [3000]


def test_an_idle_program_recovers_too(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere)
    hold(disk, calls)
    log.append("t", n=1)
    calls.heal()
    until_well(log)
    assert numbers(disk) == [1]
    log.close()


def test_threads_that_append_meanwhile_keep_their_order(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere)
    stop = threading.Event()

    def work(thread: int) -> None:
        for step in range(300):
            log.append("t", thread=thread, step=step)

    def trouble() -> None:
        while not stop.is_set():
            hold(disk, calls)
            time.sleep(0.005)
            calls.heal()
            time.sleep(0.005)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    breaker = threading.Thread(target=trouble)
    for thread in [*workers, breaker]:
        thread.start()
    for thread in workers:
        thread.join()
    stop.set()
    breaker.join()
    calls.heal()
    log.close()
    with spilling(disk, elsewhere):
        pass
    events = chain(disk).events
    for number in range(6):
        assert [record["step"] for record in events if record["thread"] == number] == list(range(300))
    assert files(elsewhere) == []


def test_close_leaves_what_is_held_to_the_next(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere)
    hold(disk, calls)
    receipt = log.append("t", n=1)
    log.close()
    assert any("still held" in note for note in log.notes)
    calls.heal()
    with spilling(disk, elsewhere) as log:
        until_well(log)
        log.append("t", n=2)
    assert numbers(disk) == [1, 2]
    assert chain(disk).events[0]["id"] == receipt.id
    assert files(elsewhere) == []


def test_flush_returns_when_what_is_held_is_on_disk(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere, fsync="interval", sync_interval=3600)
    hold(disk, calls)
    log.append("t", n=1)
    synced: list[str] = []
    calls.after = lambda name, args, _: name == "sync" and synced.append(os.readlink(f"/proc/self/fd/{args[0]}"))
    log.flush()
    assert str(spill_log(elsewhere)) in synced
    calls.heal()
    log.close()


# -- what another process left


def left_behind(disk: Disk, elsewhere: Path, count: int = 3) -> None:
    """A process holds events and is killed."""
    code = f"""
import errno, os
from jsonl_audit import AuditLog, storage
log = AuditLog({str(disk.path)!r}, on_error="spill", spill_path={str(elsewhere)!r}, fsync="always", shared=True)
real = storage.write
def write(fd, data):
    if os.readlink(f"/proc/self/fd/{{fd}}").startswith({str(disk.folder) + os.sep!r}):
        raise OSError(errno.ENOSPC, "no space")
    return real(fd, data)
storage.write = write
for n in range({count}):
    assert not log.append("t", n=n).recorded
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL)


def test_what_a_dead_process_held_is_brought_in_by_the_next_open(disk: Disk, elsewhere: Path) -> None:
    left_behind(disk, elsewhere)
    left_behind(disk, elsewhere)
    with spilling(disk, elsewhere) as log:
        log.append("t", n=9)
    assert numbers(disk) == [0, 1, 2, 0, 1, 2, 9]
    assert len(control(disk, "audit.spilled")) == 2
    assert files(elsewhere) == []


def test_what_a_living_process_holds_is_its_own(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    log = spilling(disk, elsewhere, shared=True)
    hold(disk, calls)
    log.append("t", n=1)
    with spilling(disk, elsewhere, shared=True) as other:
        assert not other._policy.arrears.holds
    assert len(files(elsewhere)) == 2
    calls.heal()
    log.close()
    assert numbers(disk) == [1]


@pytest.mark.exhaustive
@pytest.mark.parametrize("nth", range(1, 12))
@pytest.mark.parametrize("name", ["write", "sync", "unlink"])
def test_bringing_in_that_is_interrupted_neither_doubles_nor_loses(
    disk: Disk, calls: Calls, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, name: str, nth: int
) -> None:
    """A process that dies with any of its calls, done or not, while it brings in."""
    monkeypatch.setattr(spill, "CHUNK", 2)
    left_behind(disk, elsewhere, 7)

    class Killed(BaseException):
        pass

    for done in (False, True):
        left = [nth]
        log = []

        def strike(made: str, *_: Any, left: list[int] = left) -> None:
            if made == name:
                left[0] -= 1
                if not left[0]:
                    raise Killed

        calls.before, calls.after = (None, strike) if done else (strike, None)
        try:
            log.append(spilling(disk, elsewhere, fsync="interval", sync_interval=3600))
        except Killed:
            pass
        calls.before = calls.after = None
        for each in _open_appenders():
            each._tip.let_go()
            each.closed = True
        _forget()
    with spilling(disk, elsewhere):
        pass
    assert numbers(disk) == list(range(7))
    assert sum(each["count"] for each in control(disk, "audit.spilled")) == 7
    assert files(elsewhere) == []
    assert verify(disk.path, full=True).verdict == "intact"


def _open_appenders() -> list[Any]:
    return list(registry._open)


def _forget() -> None:
    registry._open.clear()
    registry._first.clear()


@pytest.mark.exhaustive
def test_killed_in_the_middle_of_bringing_in(disk: Disk, elsewhere: Path) -> None:
    left_behind(disk, elsewhere, 3000)
    code = f"""
from jsonl_audit import AuditLog
from jsonl_audit.writer import spill
spill.CHUNK = 3
print("go", flush=True)
AuditLog({str(disk.path)!r}, on_error="spill", spill_path={str(elsewhere)!r}, fsync="never").close()
"""
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        size = disk.path.stat().st_size
        while child.poll() is None and disk.path.stat().st_size < size + 30_000:
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    with spilling(disk, elsewhere):
        pass
    assert numbers(disk) == list(range(3000))
    assert sum(each["count"] for each in control(disk, "audit.spilled")) == 3000
    assert files(elsewhere) == []


def test_a_write_that_was_done_and_said_to_have_failed_is_not_brought_in_again(
    disk: Disk, calls: Calls, elsewhere: Path
) -> None:
    """The line stands in the log, its process does not know, holds the event, and dies."""
    code = f"""
import errno, os
from jsonl_audit import AuditLog, storage
log = AuditLog({str(disk.path)!r}, on_error="spill", spill_path={str(elsewhere)!r}, fsync="never")
real = storage.write
def write(fd, data):
    real(fd, data)
    if os.readlink(f"/proc/self/fd/{{fd}}").startswith({str(disk.folder) + os.sep!r}):
        raise OSError(errno.EIO, "done, and said to have failed")
storage.write = write
assert not log.append("t", n=0).recorded
storage.write = real
assert not log.append("t", n=1).recorded
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL)
    with spilling(disk, elsewhere):
        pass
    assert numbers(disk) == [0, 1]
    assert [each["count"] for each in control(disk, "audit.spilled")] == [1]


# -- damage


def test_what_cannot_be_read_of_a_spill_log_is_told_and_kept(disk: Disk, elsewhere: Path, calls: Calls) -> None:
    left_behind(disk, elsewhere, 5)
    path = spill_log(elsewhere)
    lines = path.read_bytes().splitlines(keepends=True)
    lines = [line.replace(b'"n":2', b'"n":7') for line in lines]
    path.write_bytes(b"".join(lines))
    with spilling(disk, elsewhere):
        pass
    made = [(name, args[0]) for name, args in calls.made if name in ("rename", "sync_directory")]
    assert ("sync_directory", str(path.parent)) in made[made.index(("rename", str(path))) :], "or it comes back"
    assert numbers(disk) == [0, 1, 3, 4]
    [told] = control(disk, "audit.spilled")
    assert (told["count"], told["missing"]) == (4, 1)
    assert [each for each in files(elsewhere) if each.name.endswith(".damaged")]
    with spilling(disk, elsewhere):
        pass
    assert len(control(disk, "audit.spilled")) == 1


def test_a_file_that_is_no_spill_log_is_left_alone(disk: Disk, elsewhere: Path) -> None:
    left_behind(disk, elsewhere, 1)
    path = spill_log(elsewhere)
    other = path.with_name("1-00000000000000000000.jsonl")
    other.write_text("this is no log\n")
    (path.parent / "notes.txt").write_text("mine")
    with spilling(disk, elsewhere) as log:
        assert any("left there" in note for note in log.notes)
        log.append("t", n=1)
    assert numbers(disk) == [0, 1]
    assert other.read_text() == "this is no log\n"
    assert (path.parent / "notes.txt").exists()


def test_a_spill_log_that_cannot_be_read_does_not_stop_the_log_for_ever(
    disk: Disk, calls: Calls, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background.Background, "wake", lambda _: True)  # nothing happens beside
    log = spilling(disk, elsewhere)
    broken = [str(disk.folder) + os.sep]

    def before(name: str, args: tuple[Any, ...]) -> None:
        if name in ("read", "write") and isinstance(args[0], int):
            path = os.readlink(f"/proc/self/fd/{args[0]}")
            if path.startswith(broken[0]) and (name == "write" or broken[0] == str(elsewhere)):
                raise OSError(errno.EIO, "made to fail")

    calls.before = before
    log.append("t", n=1)
    assert log._policy.arrears._own is not None
    broken[0] = str(elsewhere)
    for _ in range(arrears.GIVE_UP):
        log.flush()
    until_well(log)
    assert log.append("t", n=2).recorded
    calls.heal()
    log.close()
    with spilling(disk, elsewhere):
        pass
    assert numbers(disk) == [2, 1]


def test_a_log_that_was_begun_anew_takes_what_was_held_for_the_old_one(disk: Disk, elsewhere: Path) -> None:
    left_behind(disk, elsewhere)
    for path in disk.folder.iterdir():
        path.unlink()
    with spilling(disk, elsewhere):
        pass
    assert numbers(disk) == [0, 1, 2]


def test_the_spill_log_says_of_which_log_it_is(disk: Disk, elsewhere: Path) -> None:
    left_behind(disk, elsewhere, 1)
    records = [json.loads(line) for line in spill_log(elsewhere).read_bytes().splitlines()]
    assert [record["type"] for record in records] == ["audit.segment", "audit.held", "audit.attempted", "t"]
    assert records[1]["details"]["path"] == str(disk.path)
    assert records[1]["details"]["log"] == json.loads(disk.lines()[0])["details"]["log"]


def test_a_spill_log_whose_sync_failed_takes_nothing_more(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    """What a failed sync takes back has its seqs given again: whoever brings in must not take one for the other."""
    with spilling(disk, elsewhere) as log:
        broken = [str(disk.folder) + os.sep]

        def before(name: str, args: tuple[Any, ...]) -> None:
            if name in ("write", "sync") and isinstance(args[0], int):
                path = os.readlink(f"/proc/self/fd/{args[0]}")
                if any(path.startswith(place) for place in broken) and (name == "write" or place_of(path)):
                    raise OSError(errno.EIO, "made to fail")

        def place_of(path: str) -> bool:
            return path.startswith(str(elsewhere))

        calls.before = before
        for n in range(3):
            log.append("t", n=n)
        broken.append(str(elsewhere))
        with pytest.raises(StorageError):
            log.flush()
        broken.pop()
        for n in range(3, 6):
            log.append("t", n=n)
        calls.heal()
    there = numbers(disk)
    spilled = control(disk, "audit.spilled")
    assert there[-3:] == [3, 4, 5]
    assert len(set(there)) == len(there)
    assert len(there) + sum(each.get("missing", 0) for each in spilled) >= 6


# -- where many are left behind


def test_events_that_find_no_place_at_all_leave_no_file(disk: Disk, calls: Calls, elsewhere: Path) -> None:
    with spilling(disk, elsewhere) as log:
        log.append("t", n=0)
        calls.fail("write", error=NO_SPACE, for_ever=True)
        for _ in range(20):
            with pytest.raises(StorageError):
                log.append("t", n=1)
        assert files(elsewhere) == []
        calls.heal()
        log.append("t", n=2)
    assert numbers(disk) == [0, 2]


def test_spill_logs_that_were_left_behind_are_opened_one_after_the_other(
    disk: Disk, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_behind(disk, elsewhere, 1)
    left = spill_log(elsewhere)
    for n in range(11):  # the same events: they are brought in once all the same
        left.with_name(f"2-{n:020x}.jsonl").write_bytes(left.read_bytes())
    empty = SpillPlace(Names.of(disk.path), elsewhere).path
    for n in range(30):
        Path(empty, f"1-{n:020x}.jsonl.lock").write_bytes(b"")
    opened: list[int] = []
    real = spill.Spill.__init__

    def counted(self: spill.Spill, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        opened.append(len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0)

    monkeypatch.setattr(spill.Spill, "__init__", counted)
    spilling(disk, elsewhere).close()
    assert len(opened) == 12
    assert max(opened) <= min(opened) + 3
    assert numbers(disk) == [0]
    assert files(elsewhere) == []


def test_what_a_dead_worker_held_is_brought_in_when_another_closes(
    disk: Disk, elsewhere: Path
) -> None:
    with spilling(disk, elsewhere, shared=True) as log:
        log.append("t", n=8)
        left_behind(disk, elsewhere, 2)
    assert sorted(numbers(disk)) == [0, 1, 8]
    assert files(elsewhere) == []


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_what_is_purged_while_it_is_brought_in_is_not_brought_in_again(
    disk: Disk, calls: Calls, elsewhere: Path, fsync: str
) -> None:
    with spilling(disk, elsewhere, fsync=fsync, max_bytes=3_000, backup_count=1) as log:
        hold(disk, calls)
        for n in range(100):
            log.append("t", n=n)
        calls.heal()
        log.flush()
        assert log.append("t", n=100).recorded
    [told] = [record["details"] for record in query(disk.path, type="audit.spilled")]
    assert told["count"] == 100
    left = [record["n"] for record in query(disk.path)]
    assert left == list(range(left[0], 101))
    assert left[0] > 10


def test_what_a_killed_process_brought_in_and_others_purged_is_not_brought_in_again(
    disk: Disk, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill, "CHUNK", 5)
    left_behind(disk, elsewhere, 20)
    came = []

    class Killed(BaseException):
        pass

    def part(self: Any, main: Any, bring_in: Any = spill.Spill.bring_in) -> Any:
        came.append(True)
        if len(came) == 3:
            for each in registry._first:
                each._closing = True  # it does no more
            raise Killed
        return bring_in(self, main)

    with monkeypatch.context() as patch:
        patch.setattr(spill.Spill, "bring_in", part)
        with pytest.raises(Killed):
            spilling(disk, elsewhere)
    for each in _open_appenders():
        each._tip.let_go()
        each.closed = True
    _forget()
    first = [record["n"] for record in query(disk.path)]
    assert first == list(range(10))
    with disk.open() as log:
        for n in (100, 101):
            log.append("other", n=n)
            log.rotate()
        log.purge(keep=1, reason="a test")
    with spilling(disk, elsewhere):
        pass
    assert [record["n"] for record in query(disk.path)] == [101, *range(10, 20)]
    [told] = [record["details"] for record in query(disk.path, type="audit.spilled")]
    assert told["count"] == 20
    assert told["first_seq"] < 10
    assert "missing" not in told
    assert files(elsewhere) == []


def test_an_interrupt_while_a_spill_log_is_removed_leaves_a_log_that_works(
    disk: Disk, calls: Calls, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Any, end: Any = spill.Spill.end) -> None:
        end(self)
        monkeypatch.setattr(spill.Spill, "end", end)
        raise KeyboardInterrupt

    monkeypatch.setattr(background.Background, "wake", lambda _: True)  # nothing is done by another thread
    with spilling(disk, elsewhere) as log:
        hold(disk, calls)
        log.append("t", n=0)
        calls.heal()
        monkeypatch.setattr(spill.Spill, "end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            log.flush()
        log.flush()
        assert log.append("t", n=1).recorded
    assert numbers(disk) == [0, 1]
