"""Two copies held against each other: what each lacks, where they part, what each says there, and since when."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest
from commandline import CommandLine, cli
from logs import OTHER, Log, build, rehashed

from jsonl_audit import AuditLog, LogError, StorageError, compare, manifest, record
from jsonl_audit.comparison import Comparison

__all__ = ["cli"]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """Three segments of a header and four records each: seq 1 to 15."""
    return build(tmp_path / "log", segments=3, events=4)


@pytest.fixture
def copied(tmp_path: Path, log: Log) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(log.directory, tmp_path / "copied"))


def copy_of(log: Log, copied: Path, number: int) -> Path:
    """The copy of a segment's file."""
    return copied / log.paths[number - 1].name


def said(found: Comparison) -> tuple[str, tuple[tuple[int, int], ...], tuple[tuple[int, int], ...], int | None]:
    """The relation, what each lacks, where they part."""
    return found.relation, found.a_lacks, found.b_lacks, found.parted and found.parted.seq


# -- the same, or less


def test_two_copies_of_the_same_are_the_same(log: Log, copied: Path, tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    merged.write_bytes(b"".join(log.read(number) for number in (2, 1, 3)))
    packed = tmp_path / "packed"
    packed.mkdir()
    for number in (1, 2, 3):
        (packed / f"{number}.gz").write_bytes(gzip.compress(log.read(number)))
    split = tmp_path / "split"
    split.mkdir()
    data = b"".join(log.read(number) for number in (1, 2, 3))
    for at in range(0, len(data), 1300):
        (split / f"x{at:05}").write_bytes(data[at : at + 1300])
    for other in (log.active, copied, copied / "audit.jsonl", merged, packed, split, log.paths):
        found = compare(log.active, other)
        assert said(found) == ("same", (), (), None)
        assert found.same
        assert found.common is not None
        assert (found.common.seq, found.common.hash) == (15, log.head)
        assert said(compare(other, log.active)) == ("same", (), (), None)


def test_what_a_copy_lacks_is_told_and_since_when(log: Log, copied: Path) -> None:
    copy_of(log, copied, 3).unlink()
    found = compare(log.active, copied)
    assert said(found) == ("lacking", (), ((11, 15),), None)
    assert found.common is not None
    assert (found.common.seq, found.common.ts) == (10, record.ts_of(log.lines(2)[-1]))
    assert found.exit_code == 3
    copy_of(log, copied, 1).unlink()
    assert said(compare(log.active, copied)) == ("lacking", (), ((1, 5), (11, 15)), None)
    assert said(compare(copied, log.active)) == ("lacking", ((1, 5), (11, 15)), (), None)


def test_each_may_lack_something(log: Log, copied: Path) -> None:
    copy_of(log, copied, 2).unlink()
    log.drop(1)
    found = compare(log.active, copied)
    assert said(found) == ("lacking", ((1, 5),), ((6, 10),), None)
    assert "a lacks seq 1 to 5 (5 records)" in str(found)


@pytest.mark.exhaustive
def test_an_unfinished_copy_lacks_its_end_wherever_it_is_cut(log: Log, copied: Path) -> None:
    data = log.read(2)
    lines = log.lines(2)
    for size in range(len(lines[0]), len(data), 29):
        copy_of(log, copied, 2).write_bytes(data[:size])
        whole = data[:size].count(b"\n")
        found = compare(log.active, copied)
        assert said(found) == ("lacking", (), ((6 + whole, 10),), None), size


def test_a_purge_is_told(log: Log, copied: Path) -> None:
    log.purge(1).fill(1)
    found = compare(log.active, copied)
    assert said(found) == ("lacking", ((1, 5),), ((16, 17),), None)
    assert found.a.purged_through == 5
    assert "up to seq 5 it was purged, as it says itself" in str(found)


# -- parted


@pytest.mark.exhaustive
def test_every_changed_line_is_where_they_part(log: Log, copied: Path) -> None:
    for number in (1, 2, 3):
        lines = log.lines(number)
        for at, line in enumerate(lines):
            changed = line.replace(b'"type":"', b'"type":"x', 1)
            copy_of(log, copied, number).write_bytes(b"".join([*lines[:at], changed, *lines[at + 1 :]]))
            found = compare(log.active, copied)
            seq = (number - 1) * 5 + at + 1
            assert said(found)[3] == seq
            assert said(found)[:3] == ("parted", (), ())
            assert found.parted is not None
            assert found.parted.a is not None
            assert found.parted.b is not None
            assert (found.parted.a.whole, found.parted.b.whole) == (True, False)
            assert (found.parted.b.segment, found.parted.b.line) == (log.paths[number - 1].name, at + 1)
            assert [each.member for each in found.parted.differences] == ["type"]
            assert (found.common is None) == (seq == 1)
            assert found.common is None or found.common.seq == seq - 1
            assert found.parted.meet_again == (None if seq == 15 else 15)
        copy_of(log, copied, number).write_bytes(b"".join(lines))


@pytest.mark.exhaustive
def test_a_changed_byte_anywhere_is_never_the_same(log: Log, copied: Path) -> None:
    data = log.read(2)
    for at in range(0, len(data), 61):
        changed = bytearray(data)
        changed[at] ^= 4
        copy_of(log, copied, 2).write_bytes(changed)
        found = compare(log.active, copied)
        assert found.relation != "same", at
        assert found.relation == "parted" or "tampered" in (found.a.verdict, found.b.verdict), at


def test_a_line_that_was_taken_out_doubled_or_put_in(log: Log, copied: Path) -> None:
    lines = log.lines(2)
    path = copy_of(log, copied, 2)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    found = compare(log.active, copied)
    assert said(found) == ("parted", (), ((8, 8),), 8)
    assert found.parted is not None
    assert found.parted.meet_again == 15
    path.write_bytes(b"".join(lines[:3] + lines[2:]))
    assert said(compare(log.active, copied))[0::3] == ("parted", 9)


def test_two_histories_part_where_they_do(tmp_path: Path, log: Log) -> None:
    again = tmp_path / "again"
    again.mkdir()
    other = Log(again).fill(4).seal().fill(1)
    other.add("another.one", actor={"id": "eve"}, details={"n": 1, "deep": {"x": [1]}})
    other.fill(2).seal().fill(4)
    found = compare(log.active, other.active)
    assert said(found) == ("parted", (), (), 8)
    parted = found.parted
    assert parted is not None
    assert parted.a is not None
    assert parted.b is not None
    assert (parted.a.whole, parted.b.whole, parted.meet_again) == (True, True, None)
    assert parted.a.text.encode() + b"\n" == log.lines(2)[2]
    assert parted.b.ts == record.ts_of(other.lines(2)[2])
    members = {each.member: (each.a, each.b, each.only) for each in parted.differences}
    assert members["type"] == ("test.event", "another.one", None)
    assert members["actor.id"] == ("u1", "eve", None)
    assert members["details.deep"] == (None, {"x": [1]}, "b")
    text = str(found)
    assert "they part at seq 8" in text
    assert "written anew from here on, or two writers went on from one record" in text
    assert 'actor.id: "u1" in a, "eve" in b' in text


def test_another_log_parts_at_its_first_record(tmp_path: Path, log: Log) -> None:
    other = build(tmp_path / "other", segments=1, events=3, log=OTHER)
    found = compare(log.active, other.active)
    assert said(found)[0::3] == ("parted", 1)
    assert found.common is None
    assert "no record before that is in both" in str(found)
    assert f"these are two logs, {log.id} and {OTHER}" in str(found).splitlines()[0]
    assert "written anew" not in str(found)


def test_where_one_goes_on_from_another_record_than_the_other_ends_with(log: Log, copied: Path) -> None:
    for number in (1, 3):
        copy_of(log, copied, number).unlink()
    lines = log.lines(2)
    lines[-1] = rehashed(lines[-1].replace(b"test.event", b"test.evenT"))
    copy_of(log, copied, 2).write_bytes(b"".join(lines))
    found = compare([log.paths[0], log.paths[2]], copied)
    assert said(found)[0::3] == ("parted", 11)


def test_a_damaged_end_is_a_difference_and_nothing_that_is_lacking(log: Log, copied: Path) -> None:
    lines = log.lines(3)
    lines[-2:] = [line.replace(b"test", b"tesT") for line in lines[-2:]]
    copy_of(log, copied, 3).write_bytes(b"".join(lines))
    found = compare(log.active, copied)
    assert said(found) == ("parted", (), (), 14)


@pytest.mark.exhaustive
def test_long_lines_and_long_files(tmp_path: Path) -> None:
    path, other = tmp_path / "audit.jsonl", tmp_path / "copy"
    with AuditLog(path, fsync="never") as log:
        for n in range(400):
            log.append("test.event", details={"n": n, "text": "x" * (n * 37 % 9000)})
    data = path.read_bytes()
    for n in (0, 1, 150, 399):
        other.write_bytes(data.replace(b'"n":%d,' % n, b'"n":%d,' % (n + 1), 1))
        found = compare(path, other)
        assert said(found) == ("parted", (), (), n + 2)
        assert found.parted is not None
        assert [(each.member, each.a, each.b) for each in found.parted.differences] == [("details.n", n, n + 1)]


# -- a manifest


def test_a_manifest_is_the_other_side(tmp_path: Path, log: Log, copied: Path) -> None:
    made = manifest.make(log.active)
    path = manifest.dump(made, tmp_path / "manifest.json")
    for other in (made, path, Path(path)):
        found = compare(copied, other)
        assert said(found) == ("same", (), (), None)
        assert said(compare(other, copied)) == ("same", (), (), None)
    copy_of(log, copied, 1).unlink()
    assert said(compare(copied, made)) == ("lacking", ((1, 5),), (), None)
    log.fill(2)
    assert said(compare(log.active, made)) == ("lacking", (), ((16, 17),), None)


def test_a_manifest_names_the_file_in_which_they_part(tmp_path: Path, log: Log) -> None:
    made = manifest.make(log.active)
    again = tmp_path / "again"
    again.mkdir()
    other = Log(again).fill(4).seal().fill(3)
    other.add("another.one")
    other.seal().fill(4)
    found = compare(made, other.active)
    parted = found.parted
    assert said(found) == ("parted", (), (), 6)
    assert parted is not None
    assert (parted.seq, parted.until, parted.a) == (6, 10, None)
    assert parted.b is not None
    assert parted.b.seq == 10
    assert "somewhere from seq 6 to 10" in str(found)
    assert said(compare(other.active, made))[0::3] == ("parted", 6)


@pytest.mark.exhaustive
def test_a_byte_that_was_changed_behind_a_manifest_is_a_difference(log: Log) -> None:
    log.raw(b'{"seq":16,"ts"')
    made = manifest.make(log.active)
    for number in (1, 2, 3):
        data = log.read(number)
        for at in (*range(0, len(data), 211), len(data) - 1):
            log.flip(number, at)
            found = compare(log.active, made)
            assert found.relation == "parted", (number, at)
            assert compare(made, log.active).exit_code == 1
            log.write(number, data)
    assert compare(log.active, made).same


def test_a_manifest_of_packed_files_and_one_of_less(tmp_path: Path, log: Log) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    for number in (1, 2, 3):
        (packed / f"{log.paths[number - 1].name}.gz").write_bytes(gzip.compress(log.read(number)))
    made = manifest.make([*packed.iterdir()])
    assert compare(log.active, made).same
    log.flip(2, 700)
    assert compare(log.active, made).relation == "parted"
    log.flip(2, 700)
    log.cut(2, 900)
    assert said(compare(log.paths, made)) == ("lacking", ((7, 10),), (), None)


def test_two_manifests_are_refused(log: Log) -> None:
    made = manifest.make(log.active)
    with pytest.raises(LogError, match="two manifests"):
        compare(made, made)


# -- a log in use, and what cannot be


def test_a_log_that_is_written_and_rotated_lacks_nothing_that_was_there(tmp_path: Path) -> None:
    path, backup = tmp_path / "audit.jsonl", tmp_path / "backup"
    backup.mkdir()
    with AuditLog(path, fsync="never", max_bytes=4000) as log:
        for n in range(60):
            log.append("test.event", details={"n": n})
            if n % 7 == 0:
                shutil.copyfile(path, backup / f"{n}")
                found = compare(path, backup)
                assert found.relation in ("same", "lacking")
                assert found.a_lacks == ()


def test_what_is_not_there_is_said(tmp_path: Path, log: Log) -> None:
    with pytest.raises(StorageError):
        compare(log.active, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LogError, match="no file in this folder"):
        compare(log.active, tmp_path / "empty")


def test_on_the_command_line(cli: CommandLine) -> None:
    path, backup = cli.folder / "audit.jsonl", cli.folder / "backup"
    with AuditLog(path, fsync="never") as log:
        for n in range(20):
            if n == 10:
                log.rotate()
            log.append("test.event", details={"n": n})
        backup.mkdir()
        for file in cli.folder.glob("audit*.jsonl"):
            shutil.copyfile(file, backup / f"copy of {file.name}")
        ended = cli("diff", path, backup)
        assert (ended.status, ended.lines[0].partition(":")[0]) == (0, "same")
        log.append("test.event")
    ended = cli("diff", backup, path)
    assert (ended.status, ended.lines[0].partition(":")[0]) == (3, "lacking")
    assert "a lacks seq 23 (1 record)" in ended.text
    ended = cli("verify", "--against", backup, path)
    assert ended.status == 3
    assert ended.text.startswith("intact: ")
    assert "b lacks seq 23" in ended.text
    newest = backup / "copy of audit.jsonl"
    newest.write_bytes(newest.read_bytes().replace(b'"n":15', b'"n":51'))
    ended = cli("diff", path, backup, "-o", "json")
    found = json.loads(ended.out)
    assert (ended.status, found["relation"], found["parted"]["seq"]) == (1, "parted", 18)
    assert found["parted"]["differences"] == [{"member": "details.n", "a": 15, "b": 51, "only": None}]
    ended = cli("verify", "--json", "--against", backup, path)
    report = json.loads(ended.out)
    assert (ended.status, report["verdict"], report["against"]["relation"]) == (1, "intact", "parted")
    assert report["against"] == found
    assert cli("diff", path, backup, "-q").out == b""
    assert cli("diff", path).status == 2
    assert cli("diff", path, cli.folder / "nowhere").status == 4
    assert cli("verify", "--each", "--against", backup, path).status == 2


def test_two_copies_with_the_same_damage_are_not_called_good(log: Log, copied: Path) -> None:
    for path in (log.paths[1], copy_of(log, copied, 2)):
        path.write_bytes(path.read_bytes().replace(b"test.event", b"test.evenT", 1))
    found = compare(log.active, copied)
    assert (found.relation, found.accused, found.exit_code, found.same) == ("same", ("a", "b"), 1, False)
    assert "a is tampered by itself; b is tampered by itself" in str(found).splitlines()[0]
