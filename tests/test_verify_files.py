"""What may be named for verification; of things that are no log, a sentence and a status, no traceback."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from logs import OTHER, Log, build

from jsonl_audit import record
from jsonl_audit.errors import AuditError, LogError, NewerFormatError, NotALogError, StorageError
from jsonl_audit.verifier import Report, verify, verify_each


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return build(tmp_path / "log", segments=3, events=3)


def kinds(report: Report) -> list[str]:
    return [finding.kind for finding in report.findings]


def listing(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


# -- what may be named


def test_a_directory_that_holds_one_log_stands_for_it(log: Log) -> None:
    assert verify(log.directory).verdict == "intact"
    assert verify(str(log.directory)).records == 12


def test_a_tilde_and_a_symlink_are_followed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(log.directory))
    monkeypatch.setenv("USERPROFILE", str(log.directory))
    assert verify("~/audit.jsonl").segments == 3
    link = log.directory.parent / "elsewhere.jsonl"
    link.symlink_to(log.active)
    assert verify(link).segments == 3
    link.unlink()
    link.symlink_to(log.paths[0])
    assert verify(link).verdict == "intact"


def test_a_sealed_segment_named_alone_is_verified_alone(log: Log) -> None:
    report = verify(log.paths[0])
    assert (report.verdict, report.segments, report.last_seq) == ("intact", 1, 4)
    assert verify(log.paths[1]).verdict == "incomplete"


def test_several_paths_are_exactly_those_files(log: Log) -> None:
    assert verify([log.active]).verdict == "incomplete"
    assert verify([log.active, log.paths[1]]).segments == 2
    assert verify(sorted(log.directory.iterdir())).verdict == "intact"


def test_order_comes_from_the_headers_not_from_the_names(log: Log) -> None:
    for path, name in zip(log.paths, "cab", strict=True):
        path.rename(log.directory / f"{name}.txt")
    report = verify([log.directory / f"{name}.txt" for name in "abc"])
    assert (report.verdict, report.segments, report.head) == ("intact", 3, log.head)


def test_what_lies_beside_a_log_is_skipped(log: Log) -> None:
    beside = [log.directory / f"audit.jsonl{end}" for end in (".lock", ".next", ".d")]
    beside[0].write_bytes(b"{}")
    beside[1].write_bytes(b"left over")
    beside[2].mkdir()
    assert verify([*log.paths, *beside]).verdict == "intact"
    assert verify(log.active).verdict == "intact"
    with pytest.raises(LogError, match="beside"):
        verify(beside)


@pytest.mark.parametrize("which", [[1], [1, 2], [1, 2, 3]])
def test_compressed_segments_are_read_as_they_are(log: Log, which: list[int]) -> None:
    for number in which:
        path = log.paths[number - 1]
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    named = log.directory / "audit.jsonl.gz" if 3 in which else log.active
    for full in (False, True):
        report = verify(sorted(log.directory.iterdir()) if 3 in which else named, full=full)
        assert (report.verdict, report.segments) == ("intact", 3)
    assert verify(Path(f"{log.paths[0]}.gz")).verdict == "intact"


def test_zstandard_is_read_too(log: Log) -> None:
    zstandard = pytest.importorskip("zstandard")
    packed = Path(f"{log.paths[0]}.zst")
    packed.write_bytes(zstandard.compress(log.read(1)))
    log.drop(1)
    assert verify(log.active).verdict == "intact"


def test_a_compressed_segment_that_is_damaged_is_damage(log: Log) -> None:
    packed = Path(f"{log.paths[0]}.gz")
    data = bytearray(gzip.compress(log.read(1)))
    log.drop(1)
    for changed in (data[:-20], data[:40], data[:30] + bytes([data[30] ^ 1]) + data[31:]):
        packed.write_bytes(changed)
        report = verify(log.active)
        assert report.verdict == "tampered", changed
        assert {finding.segment for finding in report.findings} <= {packed.name, log.paths[1].name}


def test_a_half_done_sealing_is_read_as_it_would_be_opened(log: Log) -> None:
    log.seal()
    following = log.active.rename(log.directory / "audit.jsonl.next")
    report = verify(log.active)
    assert (report.verdict, report.last_seq, kinds(report)) == ("intact", 13, [])
    following.unlink()
    assert verify(log.active).verdict == "incomplete"


def test_a_leftover_of_a_failed_sealing_is_not_read(log: Log) -> None:
    log.names.next and Path(log.names.next).write_bytes(b"left by a failed sealing")
    assert verify(log.active).verdict == "intact"


def test_several_logs_are_verified_each_for_itself(log: Log, tmp_path: Path) -> None:
    other = build(tmp_path / "other", segments=2, events=2, log=OTHER)
    other.flip(1, 800)
    told = verify_each([log.active, other.active, tmp_path / "none.jsonl"])
    assert [path for path, _ in told] == [str(log.active), str(other.active), str(tmp_path / "none.jsonl")]
    assert [getattr(each, "verdict", type(each)) for _, each in told] == ["intact", "tampered", StorageError]
    assert [each.exit_code for _, each in told] == [0, 1, 4]


# -- what is no log


def refused(paths: object, status: int) -> AuditError:
    with pytest.raises(AuditError) as caught:
        verify(paths)  # type: ignore[arg-type]
    assert caught.value.exit_code == status
    assert len(str(caught.value)) > 20
    return caught.value


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    for paths in (tmp_path / "none.jsonl", [tmp_path / "none.jsonl"], tmp_path / "none" / "audit.jsonl"):
        error = refused(paths, 4)
        assert isinstance(error, StorageError)
        assert "none" in str(error)


def test_a_part_of_the_path_that_is_no_directory(log: Log) -> None:
    refused(log.active / "audit.jsonl", 4)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_a_file_that_may_not_be_read(log: Log) -> None:
    log.paths[0].chmod(0)
    refused(log.active, 4)
    refused([log.paths[0]], 4)


def test_a_directory_without_a_log_or_with_several(tmp_path: Path) -> None:
    assert "no log" in str(refused(tmp_path, 2))
    build(tmp_path, segments=1, name="a.jsonl")
    build(tmp_path, segments=1, name="b.jsonl")
    assert "several" in str(refused(tmp_path, 2))
    refused([tmp_path, tmp_path / "a.jsonl"], 2)


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="there is no /dev/null on this system")
def test_a_device_a_pipe_and_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for path in ("/dev/null", tmp_path / "pipe", tmp_path / "socket"):
            assert "no" in str(refused(path, 2))
            refused([path], 2)


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b" + os.urandom(500),
        os.urandom(5000),
        b"\x00" * 5000,
        b'{"level":"info","msg":"started"}\n' * 50,
        b'{"seq":1,"ts":"2026-11-21T10:11:12.123456Z","msg":"not ours"}\n',
        b"just some words\n",
        b"\n\n\n",
        b"x" * 3_000_000,
    ],
    ids=["gzip", "binary", "zeros", "json lines", "with a seq", "text", "blank", "one long line"],
)
def test_a_file_that_is_no_log(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(content)
    for paths in (path, [path]):
        error = refused(paths, 2)
        assert isinstance(error, NotALogError)
        assert error.path == str(path)
        assert error.line == 1


def newer(log: Log, number: int) -> None:
    """Gives a segment a header of another format, with a hash that fits."""
    lines = log.lines(number)
    details = record.decode(lines[0])["details"] | {"format": 2}
    before = record.decode(lines[0])
    lines[0] = record.line(before["seq"], before["ts"], record.control("audit.segment", details), before["prev"])[0]
    log.write(number, lines)


def test_a_log_of_a_newer_format(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1)
    newer(log, 1)
    error = refused(log.active, 2)
    assert isinstance(error, NewerFormatError)
    assert (error.expected, error.actual) == (1, 2)


def test_a_segment_of_a_newer_format_among_others_hides_nothing(log: Log) -> None:
    newer(log, 3)
    report = verify(log.active)
    assert (report.verdict, kinds(report)) == ("incomplete", ["segment-missing"])
    log.flip(1, 700)
    assert verify(log.active).verdict == "tampered"


def test_an_active_file_that_was_written_over_with_something_else(log: Log) -> None:
    log.write(3, b"gone\n")
    report = verify(log.active)
    assert report.verdict == "tampered"
    assert ("header-missing", log.active.name) in [(finding.kind, finding.segment) for finding in report.findings]


def test_a_file_that_only_begins_as_a_log_is_a_log_without_a_header(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1, events=2)
    for lines in (log.lines(1)[1:], [log.lines(1)[1][:-5]], [log.lines(1)[0][:300]]):
        log.write(1, lines)
        report = verify(log.active)
        assert (report.verdict, kinds(report)[0]) == ("tampered", "header-missing")
        log = build(tmp_path / str(len(lines)), segments=1, events=2)


def test_a_sealed_file_without_a_byte_is_a_segment_that_was_cut(log: Log) -> None:
    log.write(1, b"")
    report = verify(log.active)
    assert report.verdict == "tampered"
    assert {"header-missing", "segment-altered"} <= set(kinds(report))


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path(path: str) -> None:
    refused(path, 2)
    refused([path], 2)
    refused([], 2)


def test_nothing_is_changed_by_looking(log: Log, tmp_path: Path) -> None:
    log.flip(1, 700)
    log.raw(b"{")
    before, times = listing(tmp_path), log.directory.stat().st_mtime_ns
    for full in (False, True):
        verify(log.active, full=full)
    assert listing(tmp_path) == before
    assert log.directory.stat().st_mtime_ns == times


def test_a_log_that_only_may_be_read(log: Log) -> None:
    for path in (*log.paths, log.directory):
        path.chmod(path.stat().st_mode & 0o555)
    try:
        assert verify(log.active).verdict == "intact"
    finally:
        log.directory.chmod(0o700)


def test_copies_elsewhere_are_verified_as_well(log: Log, tmp_path: Path) -> None:
    shutil.copytree(log.directory, tmp_path / "archive")
    assert verify(tmp_path / "archive").head == log.head


# -- lines of 100 MB, invalid UTF-8, odd years


@pytest.mark.exhaustive
def test_a_line_of_100_mb_is_named(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1, events=2)
    lines = log.lines(1)
    size = 100_000_000
    with log.active.open("wb") as file:
        file.write(b"".join(lines[:2]))
        for _ in range(100):
            file.write(b"x" * (size // 100))
        file.write(b"\n" + lines[2])
    report = verify(log.active)
    assert (report.verdict, kinds(report)) == ("tampered", ["malformed-line"])
    assert (report.findings[0].line, report.records) == (3, 3)


def test_invalid_utf_8_with_a_right_hash_is_malformed(tmp_path: Path) -> None:
    log = build(tmp_path, segments=1, events=1)
    log._put(record.Body(b"a", b',"x":"\xff"'))
    report = verify(log.active)
    assert kinds(report) == ["malformed-line"]
    assert "UTF-8" in report.findings[0].message


def test_a_clock_before_1970(tmp_path: Path) -> None:
    log = Log(tmp_path, start=-(10**15)).fill(2)
    log.seal().fill(2)
    assert verify(log.active, full=True).verdict == "intact"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_line_put_in_before_a_header_leaves_the_segment_in_its_place(log: Log, number: int) -> None:
    log.fill(3).seal().fill(3).seal().fill(3)
    other = log.lines(number % 3 + 1)[1]
    path = log.paths[number - 1]
    path.write_bytes(other + path.read_bytes())
    report = verify(log.active)
    kinds = {finding.kind for finding in report.findings}
    assert report.verdict == "tampered"
    assert {"header-missing", "chain-broken"} <= kinds or {"header-missing", "records-missing"} <= kinds
    assert "segment-missing" not in kinds
    assert report.records >= 12


# -- what has a segment's name and is none


def _make(path: Path, what: str) -> None:
    if what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.with_name("nowhere"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
@pytest.mark.parametrize("what", ["directory", "pipe", "symlink"])
def test_what_only_has_the_name_of_a_segment_is_noted_and_the_rest_is_verified(log: Log, what: str) -> None:
    stray = log.directory / log.names.sealed("20200101T000000000000Z")
    _make(stray, what)
    report = verify(log.active)
    assert (report.verdict, report.records) == ("intact", 12)
    [note] = report.notes
    assert (note.kind, note.segment) == ("not-a-segment", stray.name)
    assert what in note.message


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
@pytest.mark.parametrize("what", ["directory", "pipe", "symlink"])
def test_in_the_place_of_a_segment_it_makes_the_log_incomplete(log: Log, what: str) -> None:
    log.drop(2)
    _make(log.paths[1], what)
    report = verify(log.active)
    assert report.verdict == "incomplete"
    assert kinds(report) == ["segment-missing"]
    assert [note.kind for note in report.notes] == ["not-a-segment"]
