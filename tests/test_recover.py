"""Opening is recovery: whatever a crash, a disk or a person left, with the outcome that the format gives it."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from disk import Calls, Disk, another_boot, chain
from logs import OTHER, Log, build, rehashed

from jsonl_audit import AuditLog, NotALogError, StorageError, WrongLogError, query, record, storage, verify

pytestmark = [pytest.mark.usefixtures("quick_disk"), pytest.mark.exhaustive]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """A closed log of two segments; in the last one single records and a batch."""
    disk = Disk(tmp_path_factory.mktemp("small") / "log")
    with disk.open() as log:
        log.append("t", n=1)
        log.rotate()
        log.append("t", n=2)
        log.append_many([{"n": 3}, {"n": 4}, {"n": 5}])
        log.append("t", n=6)
        log.append("t", n=7)
    return disk


def cut_short(small: Disk, folder: Path, size: int) -> Disk:
    """A copy of it whose active file was cut."""
    disk = small.copy(folder)
    disk.cut(size)
    return disk


def whole(small: Disk, size: int) -> list[int]:
    """`n` of the records that count where the active file ends after so many bytes."""
    kept, end = [1], 0
    for line in small.lines():
        end += len(line)
        if end > size:
            break
        kept.append(json.loads(line).get("n"))
    while kept[-1] in (3, 4):  # the batch is not whole
        kept.pop()
    return [n for n in kept if n]


def _sizes(disk: Disk, long: bool) -> list[int]:
    """Every byte behind the header; if not long, what is next to the ends of lines, and every third in between."""
    ends = list(itertools.accumulate(map(len, disk.lines())))
    near = {end + step for end in ends for step in (-2, -1, 0, 1, 2)}
    start = random.randrange(3)
    return [size for size in range(ends[0], ends[-1] + 1) if long or size in near or size % 3 == start]


def test_cut_at_every_byte_by_a_crash_all_whole_records_are_there_and_the_log_goes_on(
    small: Disk, tmp_path: Path, long: bool
) -> None:
    content = small.path.read_bytes()
    for size in _sizes(small, long):
        disk = cut_short(small, tmp_path / str(size), size).forget()
        kept = whole(small, size)
        with disk.open() as log:
            log.append("t", n=99)
        found = chain(disk)
        assert [r["n"] for r in found.events] == [*kept, 99], size
        end = sum(len(line) for line in small.lines()[: sum(n > 1 for n in kept) + 1])
        if end == size:
            assert len(found.headers) == 2
            assert not log.notes
        else:
            torn = content[end:size]
            assert found.torn[1] == {"bytes": len(torn), "blake3": blake3(torn).hexdigest()}
            assert found.headers[2]["previous"]["bytes"] == end
            assert not found.damage[1]
            assert "crash" in " ".join(log.notes)
        shutil.rmtree(disk.folder)


def test_cut_at_every_byte_of_what_was_on_disk_it_is_damage(small: Disk, tmp_path: Path, long: bool) -> None:
    for size in _sizes(small, long)[:-1]:
        disk = cut_short(small, tmp_path / str(size), size)
        with disk.open() as log:
            log.append("t", n=99)
        found = chain(disk)
        assert [r["n"] for r in found.events] == [*whole(small, size), 99], size
        assert found.headers[2]["previous"]["damaged"] == 1
        assert found.damage[1][0]["kind"] == "records-missing"
        assert "damage" in " ".join(log.notes)
        shutil.rmtree(disk.folder)


def test_opening_again_after_recovery_finds_nothing_to_do(small: Disk, tmp_path: Path) -> None:
    disk = cut_short(small, tmp_path / "log", small.path.stat().st_size - 5).forget()
    disk.open().close()
    for forget in (False, True):
        before = disk.content()
        if forget:
            disk.forget()
        with disk.open() as log:
            assert not log.notes
        assert disk.content() == before


def test_recovery_that_is_itself_torn_again_and_again_loses_nothing(small: Disk, tmp_path: Path) -> None:
    disk = small.copy(tmp_path / "log")
    kept = [r["n"] for r in chain(disk).events]
    for n in range(10, 20):
        with disk.open() as log:
            log.append("t", n=n)
        kept.append(n)
        disk.forget().grow(b'{"seq":%d,"ts":"20' % log.last_seq)
    with disk.open() as log:
        log.append("t", n=20)
    assert [r["n"] for r in chain(disk).events] == [*kept, 20]


# -- torn ends


def crashed(disk: Disk, folder: Path, **options: Any) -> Disk:
    """A copy of a log whose writer died in the middle: its mark knows of nothing but the header."""
    log = AuditLog(disk.path, **options)
    for n in range(8):
        log.append("t", n=n, text="x" * 600)
    copy = disk.copy(folder)
    log.close()
    return copy


def test_nul_bytes_at_the_end_are_torn(disk: Disk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number, more in enumerate((1, 100, 511, 4096, 100_000)):
        copy = crashed(Disk(disk.folder, f"{number}.jsonl"), tmp_path / str(number), fsync="never")
        copy.grow(bytes(more))
        with another_boot(monkeypatch), copy.open() as log:
            log.append("t", n=99)
        found = chain(copy)
        assert [r["n"] for r in found.events] == [*range(8), 99]
        torn = found.torn[0]
        assert torn is not None
        assert torn["bytes"] == more
        assert not found.lost


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_a_hole_takes_along_what_is_behind_it_and_what_was_acknowledged_is_counted(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: str
) -> None:
    copy = crashed(disk, tmp_path / "copy", fsync=fsync, sync_interval=60)
    copy.hole(2048, 3072)
    with another_boot(monkeypatch), copy.open() as log:
        log.append("t", n=99)
    found = chain(copy)
    at = copy.sealed()[0].read_bytes().index(b"\0")
    before = copy.sealed()[0].read_bytes()[:at].count(b"\n") - 1
    assert [r["n"] for r in found.events] == [*range(before), 99]
    assert found.torn[0]
    assert not found.damage[0]
    if fsync == "always":
        assert not found.lost
    else:
        first = before + 2
        assert found.lost == [{"first_seq": first, "last_seq": 9, "count": 9 - first + 1}]


def test_a_hole_at_the_very_end_of_a_batch_voids_the_batch(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = disk.open()
    log.append("t", n=1)
    log.append_many([{"n": n, "text": "x" * 600} for n in range(2, 6)])
    log.append("t", n=6)
    copy = disk.copy(tmp_path / "copy")
    log.close()
    copy.hole(1536, 2048)
    with another_boot(monkeypatch), copy.open() as again:
        again.append("t", n=99)
    found = chain(copy)
    assert [r["n"] for r in found.events] == [1, 99]
    assert found.lost == [{"first_seq": 3, "last_seq": 7, "count": 5}]


@pytest.mark.parametrize(("start", "stop"), [(2100, 2200), (2048, 2200), (2100, 2560)])
def test_nul_bytes_that_no_disk_leaves_are_damage(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int, stop: int
) -> None:
    copy = crashed(disk, tmp_path / "copy", fsync="never")
    copy.hole(start, stop)
    with another_boot(monkeypatch), copy.open() as log:
        log.append("t", n=99)
    found = chain(copy)
    assert [entry["kind"] for entry in found.damage[0]][:1] == ["malformed-line"]
    assert found.events[-2]["n"] == 7
    assert not found.lost


def test_a_hole_before_what_was_known_to_be_on_disk_is_damage(small: Disk, tmp_path: Path) -> None:
    disk = Disk(tmp_path / "log").make(30)
    disk.hole(1024, 2048)
    disk.grow(b"{")  # so that it is walked at once
    with disk.open() as log:
        log.append("t", n=99)
    found = chain(disk)
    assert found.headers[1]["previous"]["last_seq"] == 31
    assert {entry["kind"] for entry in found.damage[0]} == {"malformed-line", "records-missing"}
    assert found.events[-1]["n"] == 99
    assert not found.lost


# -- damage


@pytest.mark.parametrize("forget", [False, True])
def test_lines_taken_out_of_the_middle_are_missed_though_the_end_is_as_it_was(
    small: Disk, tmp_path: Path, forget: bool
) -> None:
    for number in range(1, len(small.lines()) - 1):
        disk = small.copy(tmp_path / f"{number}")
        if forget:
            disk.forget()
        lines = disk.lines()
        del lines[number]
        disk.path.write_bytes(b"".join(lines))
        with disk.open() as log:
            log.append("t", n=99)
        found = chain(disk)
        assert found.damage[1], number
        assert [r["n"] for r in found.events][-2:] == [7, 99]
        assert found.headers[2]["previous"]["last_seq"] == 9


def test_a_changed_byte_is_listed_wherever_it_is_and_never_called_torn(small: Disk, tmp_path: Path) -> None:
    first = len(small.lines()[0])
    for offset in range(first, small.path.stat().st_size, 7):
        disk = small.copy(tmp_path / str(offset)).forget()
        disk.flip(offset)
        if b"\n" not in disk.path.read_bytes()[offset - 1 : offset + 1] and offset < small.path.stat().st_size - 1:
            with disk.open() as log:
                log.append("t", n=99)
            found = chain(disk)
            assert found.damage[1], offset
            assert found.damage[1][0]["offset"] <= offset
            assert found.events[-1]["n"] == 99
        shutil.rmtree(disk.folder)


def test_damage_behind_the_last_right_line_stands_in_damage_and_in_torn(small: Disk, tmp_path: Path) -> None:
    disk = small.copy(tmp_path / "log").forget()
    last = len(disk.lines()[-1])
    size = disk.path.stat().st_size
    disk.flip(size - last + 200)
    with disk.open() as log:
        log.append("t", n=99)
    previous = chain(disk).headers[2]["previous"]
    assert previous["bytes"] == size - last
    assert previous["torn"]["bytes"] == last
    assert [(entry["kind"], entry["offset"], entry["bytes"]) for entry in previous["damage"]] == [
        ("record-modified", size - last, last)
    ]
    assert [r["n"] for r in chain(disk).events] == [1, 2, 3, 4, 5, 6, 99]


def test_no_more_than_16_places_are_listed_and_all_are_counted(disk: Disk) -> None:
    disk.make(60)
    lines = disk.lines()
    for number in range(5, 45):
        lines[number] = lines[number].replace(b'"test.event"', b'"test.evens"')
    disk.path.write_bytes(b"".join(lines))
    disk.forget()
    disk.open().close()
    previous = chain(disk).headers[1]["previous"]
    assert len(previous["damage"]) == 16
    assert previous["damaged"] == 40


def test_a_part_of_the_disk_that_cannot_be_read_is_gone_around(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.make(2000)
    disk.forget()
    real = storage.read
    unreadable = 300_000

    def read(fd: int, offset: int, count: int) -> bytes:
        if storage.size(fd) > unreadable and offset + count > unreadable:
            raise OSError(5, "Input/output error")
        return real(fd, offset, count)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "read", read)
        with disk.open() as log:
            log.append("t", n=99)
    assert "cannot be read" in " ".join(log.notes)
    header = json.loads(disk.lines()[0])["details"]["previous"]
    assert header["torn"] == {"bytes": disk.sealed()[0].stat().st_size - header["bytes"], "blake3": None}
    assert 0 < header["bytes"] <= unreadable
    assert json.loads(disk.lines()[1])["seq"] == header["last_seq"] + 2


# -- the active file is gone


@pytest.fixture
def three(disk: Disk) -> Disk:
    """A closed log of three segments."""
    return disk.make(2, 2, 2)


def test_without_an_active_file_the_log_goes_on_from_the_newest_sealed_one_and_says_so(three: Disk) -> None:
    three.path.unlink()
    with three.open() as log:
        log.append("t", n=99)
    assert "removed" in " ".join(log.notes)
    found = chain(three)
    assert found.headers[2]["active"] == "missing"
    assert found.headers[2]["segment"] == 3
    assert [r["details"]["segment"] for r in found.events if "details" in r] == [1, 1, 2, 2]


def test_without_an_active_file_and_without_the_newest_sealed_header_no_seq_is_given_away_twice(three: Disk) -> None:
    three.path.unlink()
    three.flip(150, three.sealed()[1])
    refused(three, "where the log ends cannot be told")


def test_without_an_active_file_a_sealed_copy_with_fewer_records_is_not_gone_on_from(three: Disk) -> None:
    three.path.unlink()
    copy = three.folder / "audit.20010101T000000000000Z.jsonl"
    copy.write_bytes(b"".join(three.lines(three.sealed()[1])[:-1]))
    with three.open() as log:
        log.append("t")
    copy.unlink()
    chain(three)


def test_a_log_that_went_on_beside_two_histories_of_its_newest_sealed_segment_opens_again(
    three: Disk, tmp_path: Path
) -> None:
    three.path.unlink()
    other = three.copy(tmp_path / "other")
    other.sealed()[1].unlink()
    with other.open() as log:  # goes on in a segment 2 of its own
        log.append("t")
        log.rotate()
    shutil.copy(other.sealed()[1], three.folder / "audit.29990101T000000000000Z.jsonl")
    with three.open() as log:
        log.append("t")
    with three.open() as log:
        assert log.append("t").seq == log.last_seq


def test_a_header_in_a_batch_or_on_a_day_that_does_not_exist_is_none(disk: Disk) -> None:
    disk.make(1)
    text = disk.lines()[0]
    told = text[:-150] + b',"batch":[1,2]' + text[-150:]
    day = text[:17] + b"2026-02-30" + text[27:]
    for header in (rehashed(told), rehashed(day)):
        disk.path.write_bytes(header)
        refused(disk, "header", NotALogError)
        disk.path.unlink()
        disk.forget()
        disk.next.write_bytes(header)
        with disk.open() as log:
            log.append("t")
        assert verify(disk.path, full=True).verdict == "intact"


@pytest.mark.parametrize("forget", [False, True])
def test_a_half_done_seal_is_completed(three: Disk, forget: bool) -> None:
    before = chain(three)
    three.path.rename(three.next)
    if forget:
        three.forget()
    with three.open() as log:
        log.append("t", n=99)
    assert "sealing" in " ".join(log.notes)
    assert [r["seq"] for r in chain(three).records[:-1]] == [r["seq"] for r in before.records]
    assert not three.next.exists()


def test_readers_take_a_next_segment_for_the_active_one_just_where_opening_puts_it_in_place(three: Disk) -> None:
    three.path.rename(three.next)
    second = three.sealed()[1]
    second.rename(three.folder / "audit.20010101T000000000000Z.jsonl")  # headers give the order, not names
    before = [record["seq"] for record in query(three.path, control=True)]
    assert before == [*range(1, 10)]
    assert verify(three.path).verdict == "intact"
    with three.open() as log:
        log.append("t")
    assert [record["seq"] for record in query(three.path, control=True)] == [*before, 10]


def test_the_first_segment_is_put_in_place_where_nothing_is_sealed(disk: Disk) -> None:
    disk.make(2)
    disk.path.rename(disk.next)
    with disk.open() as log:
        log.append("t")
    assert len(chain(disk).events) == 3


def test_a_half_written_first_segment_is_begun_anew(disk: Disk) -> None:
    disk.make(1)
    header = disk.lines()[0]
    for left in (b"", header[:-1], header[:100], bytes(300)):
        for path in disk.folder.iterdir():
            path.unlink()
        disk.next.write_bytes(left)
        disk.make(1)
        assert len(chain(disk).events) == 1
        assert not disk.next.exists()


def test_a_next_segment_is_synced_before_it_is_put_in_place(disk: Disk, calls: Calls) -> None:
    """Whoever wrote it may have been killed before that: a power cut would leave the log's name without its header."""
    disk.open().close()
    disk.path.rename(disk.next)
    disk.forget()
    calls.clear()
    disk.open().close()
    made = [name for name, _ in calls.made if name in ("sync", "replace", "sync_directory")]
    assert made[:3] == ["sync", "replace", "sync_directory"]


def test_a_next_segment_that_does_not_fit_is_not_put_in_place(three: Disk, tmp_path: Path) -> None:
    other = Disk(tmp_path / "other").make(1, 1, 1)
    for header in (other.lines()[0], three.lines(three.sealed()[1])[0], three.lines(three.sealed()[0])[0]):
        copy = three.copy(tmp_path / blake3(header).hexdigest())
        copy.path.unlink()
        copy.next.write_bytes(header)
        with copy.open() as log:
            log.append("t")
        assert chain(copy).headers[2]["active"] == "missing"


def test_a_next_segment_whose_predecessor_was_cut_is_not_put_in_place(three: Disk) -> None:
    three.path.rename(three.next)
    three.next.write_bytes(three.lines(three.next)[0])
    three.cut(-10, three.sealed()[1])
    with three.open() as log:
        log.append("t")
    assert json.loads(three.lines()[0])["details"]["active"] == "missing"
    assert json.loads(three.lines()[0])["seq"] == json.loads(three.lines(three.sealed()[1])[-2])["seq"] + 1


def test_a_next_segment_with_records_that_does_not_fit_is_left_alone_and_named(three: Disk, tmp_path: Path) -> None:
    other = Disk(tmp_path / "other").make(1, 1, 1)
    three.path.unlink()
    shutil.copy(other.path, three.next)
    before = three.content()
    with pytest.raises(StorageError, match=r"\.next"):
        three.open()
    assert three.content() == before


def test_nothing_sealed_and_only_a_mark_a_new_log_begins_and_says_so(disk: Disk) -> None:
    disk.make(2)
    disk.path.unlink()
    with disk.open() as log:
        log.append("t")
    found = chain(disk)
    assert found.headers[0]["active"] == "missing"
    assert found.records[0]["seq"] == 1
    assert "new log" in " ".join(log.notes)


def test_nothing_at_all_a_new_log_begins_and_says_nothing(disk: Disk) -> None:
    disk.make(2)
    disk.path.unlink()
    disk.forget()
    with disk.open() as log:
        assert not log.notes
    assert "active" not in chain(disk).headers[0]


@pytest.mark.parametrize("sealed", [False, True])
def test_an_empty_active_file_counts_as_missing(disk: Disk, sealed: bool) -> None:
    disk.make(*([2, 2] if sealed else [2]))
    disk.path.write_bytes(b"")
    with disk.open() as log:
        log.append("t")
    found = chain(disk)
    assert found.headers[-1]["active"] == "missing"
    assert found.headers[-1]["segment"] == (2 if sealed else 1)


def test_a_sealed_segment_with_a_torn_end_before_a_missing_active_file_is_accounted_for(three: Disk) -> None:
    three.path.unlink()
    three.grow(b'{"seq":', three.sealed()[1])
    with three.open() as log:
        log.append("t")
    assert chain(three).torn[1] == {"bytes": 7, "blake3": blake3(b'{"seq":').hexdigest()}


# -- files that do not belong there


def refused(disk: Disk, match: str, error: type[Exception] = WrongLogError) -> None:
    before = disk.content()
    with pytest.raises(error, match=match):
        disk.open()
    assert disk.content() == before


def test_an_older_file_that_was_put_back_is_refused(three: Disk) -> None:
    shutil.copy(three.sealed()[1], three.path)
    refused(three, "segment 2 is sealed already")
    three.path.write_bytes(three.lines(three.sealed()[0])[0])
    refused(three, "sealed already")


def test_the_active_file_of_another_log_is_refused(three: Disk, tmp_path: Path) -> None:
    other = Disk(tmp_path / "other").make(1, 1, 1)
    shutil.copy(other.path, three.path)
    refused(three, "another log")


def test_an_active_file_with_another_history_is_refused(three: Disk, tmp_path: Path) -> None:
    fork = three.copy(tmp_path / "fork")
    last = json.loads(three.lines()[0])["details"]["previous"]
    newest = fork.sealed()[1]
    lines = fork.lines(newest)
    changed = lines[-1].replace(b'"n":1', b'"n":5')
    newest.write_bytes(b"".join(lines[:-1]) + changed[:-67] + record.hash_of(changed).encode() + b'"}\n')
    assert last["bytes"] == newest.stat().st_size
    refused(fork, "does not go on")


def test_an_active_file_without_a_valid_header_is_refused(three: Disk) -> None:
    three.flip(150)
    refused(three, "header", NotALogError)


def test_a_foreign_file_with_a_sealed_name_is_a_note(three: Disk) -> None:
    for name, content in (
        ("audit.20010101T000000000000Z.jsonl", b"?"),
        ("audit.29990101T000000000000Z.jsonl", b"{}\n"),
    ):
        (three.folder / name).write_bytes(content)
    with three.open() as log:
        log.append("t", n=99)
        sealed = log.rotate()
        assert str(sealed) > str(three.folder / "audit.2999")
    assert "29990101" in " ".join(log.notes)


def test_a_folder_with_a_sealed_name_is_a_note(three: Disk) -> None:
    (three.folder / "audit.29990101T000000000000Z.jsonl").mkdir()
    with three.open() as log:
        log.append("t", n=99)
    assert log.notes


def test_sealed_segments_of_another_log_beside_our_own_change_nothing(three: Disk, tmp_path: Path) -> None:
    other = build(tmp_path / "other", segments=3, log=OTHER)
    for path in other.paths[:-1]:
        shutil.copy(path, three.folder)
    with three.open() as log:
        log.append("t", n=99)
    for path in other.paths[:-1]:
        (three.folder / path.name).unlink()
    assert chain(three).events[-1]["n"] == 99


def test_sealed_segments_that_are_missing_are_a_note(three: Disk) -> None:
    three.sealed()[1].unlink()
    with three.open() as log:
        log.append("t")
        assert ["segment 2 is not here" in note for note in log.notes] == [True]
    three.sealed()[0].unlink()
    with three.open() as log:
        assert ["segments 1 to 2 are not here" in note for note in log.notes] == [True]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_predecessor_is_read_as_it_is(three: Disk, suffix: str, calls: Calls) -> None:
    newest = three.sealed()[1]
    packed = newest.with_name(newest.name + suffix)
    if suffix == ".gz":
        packed.write_bytes(gzip.compress(newest.read_bytes()))
    else:
        zstandard = pytest.importorskip("zstandard")
        packed.write_bytes(zstandard.compress(newest.read_bytes()))
    content = newest.read_bytes()
    newest.unlink()
    with three.open() as log:
        assert not log.notes
        log.append("t", n=99)
    three.path.unlink()
    with three.open() as log:
        log.append("t", n=100)
    previous = json.loads(three.lines()[0])["details"]["previous"]
    assert previous["name"] == newest.name
    assert previous["blake3"] == blake3(content).hexdigest()


def test_a_sealed_segment_both_compressed_and_not_is_read_once(three: Disk) -> None:
    for path in three.sealed():
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
    with three.open() as log:
        assert not log.notes
        log.append("t")
        log.rotate()


# -- what a purge left


def purged(folder: Path) -> Log:
    made = Log(folder).fill(2)
    made.seal().fill(2).seal().fill(2)
    made.purge(1, unlink=False)
    return made


def test_what_an_unfinished_purge_left_is_removed_by_the_next_open(log_dir: Path) -> None:
    made = purged(log_dir)
    with AuditLog(made.active, fsync="never") as log:
        assert ["removed" in note for note in log.notes] == [True]
    assert [path.exists() for path in made.paths] == [False, True, True]
    with AuditLog(made.active, fsync="never") as log:
        assert not log.notes


def test_only_what_the_chain_says_was_let_go_is_removed(log_dir: Path) -> None:
    made = purged(log_dir)
    lines = made.lines(3)
    forged = lines[-1].replace(b'"segment":1,"last_seq":3', b'"segment":2,"last_seq":6')
    assert forged != lines[-1]
    made.write(3, b"".join(lines[:-1]) + forged)  # its hash is not right now
    AuditLog(made.active, fsync="never").close()
    assert [path.exists() for path in made.paths[:2]] == [True, True]


def test_nothing_is_removed_where_the_chain_does_not_begin_where_the_purge_ended(log_dir: Path) -> None:
    made = Log(log_dir).fill(2)
    made.seal().fill(2).seal().fill(2)
    made.floor = None
    made.control("audit.purged", {"reason": "x", "through": {"segment": 1, "last_seq": 99, "head": "ab" * 32}})
    AuditLog(made.active, fsync="never").close()
    assert all(path.exists() for path in made.paths)


def test_a_leftover_that_cannot_be_removed_keeps_no_log_from_opening(log_dir: Path, calls: Calls) -> None:
    made = purged(log_dir)
    calls.fail("unlink", error=1, for_ever=True)
    with AuditLog(made.active, fsync="never") as log:
        assert "could not be removed" in " ".join(log.notes)
        log.append("t")


# -- what opening costs


def test_a_cleanly_closed_log_opens_without_being_read(disk: Disk, calls: Calls) -> None:
    with disk.open(max_bytes=None) as log:
        for _ in range(12):
            log.append_group([{"text": "x" * 20_000}] * 50)
        log.rotate()
        for _ in range(12):
            log.append_group([{"text": "x" * 20_000}] * 50)
    assert disk.path.stat().st_size > 12e6
    calls.clear()
    with disk.open(max_bytes=None) as log:
        assert calls.bytes_read < 300_000
        log.append("t")


def test_a_log_whose_process_died_in_this_boot_is_read_from_the_mark_on(
    disk: Disk, tmp_path: Path, calls: Calls
) -> None:
    log = disk.open(fsync="interval", sync_interval=3600)
    log.append_group([{"text": "x" * 20_000}] * 500)
    log.flush()
    log.append("t", n=1)
    copy = disk.copy(tmp_path / "copy")
    log.close()
    calls.clear()
    with copy.open(max_bytes=None) as again:
        assert not again.notes
        assert calls.bytes_read < 2_500_000


def test_after_another_boot_the_whole_segment_is_looked_at(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk did to it meanwhile must not come under a digest unseen."""
    log = disk.open(fsync="interval", sync_interval=3600)
    for n in range(3):
        log.append("t", n=n)
    log.flush()
    log.append("t", n=3)  # behind the mark: this is no file that was closed
    copy = disk.copy(tmp_path / "copy")
    log.close()
    copy.flip(len(copy.lines()[0]) + 200)
    with another_boot(monkeypatch):
        copy.open().close()
    assert chain(copy).damage != [[]]


def test_many_sealed_segments_are_not_read(disk: Disk, calls: Calls) -> None:
    disk.make(*[1] * 60)
    calls.clear()
    disk.open().close()
    assert calls.count("open_read") < 12


@pytest.mark.parametrize("ts", ["2927-02-30T00:00:00.000000Z", "9999-99-99Txx:00:00.000000Z"])
@pytest.mark.parametrize("behind", [0, 40])
def test_a_right_hash_over_an_impossible_time_is_damage_and_stops_nothing(disk: Disk, ts: str, behind: int) -> None:
    with disk.open() as log:
        log.append("t", n=1)
        seq, head = log.last_seq, log.head
    for number in range(behind + 1):
        line, _, head = record.line(seq + 1 + number, ts, record.Body(b"t", b',"n":2'), head)
        disk.grow(line)
    with disk.open() as log:
        receipt = log.append("t", n=3)
    assert receipt.seq == seq + behind + 3
    assert receipt.ts < "2900"
    report = verify(disk.path)
    assert report.verdict == "tampered"
    assert {finding.kind for finding in report.findings} >= {"documented-damage"}
def test_a_number_in_a_header_that_no_file_can_have_is_refused(three: Disk) -> None:
    header = three.lines()[0]
    end = header.index(b'"bytes":') + 8
    for number in (b"9223372036854775807", b"18446744073709551615"):
        forged = rehashed(header[:end] + number + header[header.index(b",", end) :])
        three.path.write_bytes(forged)
        refused(three, "header", NotALogError)
    for seq in (b"9223372036854775807", b"9999999999999999999"):
        line = three.lines(three.sealed()[1])[-1]
        three.grow(rehashed(line.replace(b'"seq":6', b'"seq":' + seq, 1)), three.sealed()[1])
        three.path.write_bytes(rehashed(header.replace(b'"seq":7', b'"seq":' + seq, 1)))
        refused(three, "header", NotALogError)
