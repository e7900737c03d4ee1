"""Records that arrive line by line, in any order: put back into the segments that they were committed to."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commandline import CommandLine, cli, start
from logs import OTHER, Log

from jsonl_audit import LockedError, collect, record, verify
from jsonl_audit.receive import Collector
from jsonl_audit.segment import Floor

if TYPE_CHECKING:
    from jsonl_audit import Collected

__all__ = ["cli"]


@pytest.fixture
def source(tmp_path: Path) -> Log:
    """A log of 20 segments, with batches."""
    folder = tmp_path / "source"
    folder.mkdir()
    log = Log(folder, "gateway.jsonl")
    for number in range(20):
        log.fill(3 + number % 4)
        log.batch([{"type": "a.b"}, {"type": "c.d"}])
        if number < 19:
            log.seal()
    return log


def lines_of(log: Log) -> list[bytes]:
    """All its lines, segment by segment."""
    return [line for path in log.paths for line in path.read_bytes().splitlines(keepends=True)]


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def received(collected: Collected, number: int = 0) -> dict[str, bytes]:
    """The files of one of the logs that were collected."""
    return files_in(Path(collected.logs[number].path).parent)


@pytest.mark.parametrize("seed", range(3))
def test_a_shuffled_and_doubled_stream_of_20_segments_gives_files_equal_byte_for_byte(
    source: Log, tmp_path: Path, seed: int
) -> None:
    lines = lines_of(source) * 2
    random.Random(seed).shuffle(lines)
    collected = collect(lines, tmp_path / "received")
    assert collected.verdict == "intact"
    assert collected.doubles == collected.records == len(lines) // 2
    assert received(collected) == files_in(source.directory)
    assert not any((tmp_path / "received" / ".collect" / "waiting").iterdir())


def test_a_stream_in_order_gives_the_files_as_it_goes(source: Log, tmp_path: Path) -> None:
    collector = Collector(tmp_path / "received")
    for line in lines_of(source):
        collector.feed(line[:40])
        collector.feed(line[40:])
    (folder,) = [path for path in (tmp_path / "received").iterdir() if path.name != ".collect"]
    assert files_in(folder) == files_in(source.directory)
    collector.close()


def test_two_logs_in_one_stream_come_into_folders_of_their_own(source: Log, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    second = Log(folder, log=OTHER).fill(5).seal().fill(40).seal().fill(2)
    lines = lines_of(source) + lines_of(second)
    random.Random(7).shuffle(lines)
    collected = collect(lines, tmp_path / "received")
    assert collected.verdict == "intact"
    assert [log.log for log in collected.logs] == [source.id, OTHER] or [OTHER, source.id]
    for log in collected.logs:
        wanted = second if log.log == OTHER else source
        assert files_in(Path(log.path).parent) == files_in(wanted.directory)


def test_what_is_missing_is_told_and_comes_into_place_in_a_later_run(source: Log, tmp_path: Path) -> None:
    lines = lines_of(source)
    without = lines[:10] + lines[12:]
    told = []
    first = collect(without, tmp_path / "received", tell=told.append)
    assert (first.verdict, first.logs[0].gaps) == ("incomplete", ((11, 12),))
    assert [(finding.kind, finding.first_seq, finding.last_seq) for finding in told] == [("gap", 11, 12)]
    assert first.waiting
    second = collect(lines[10:12], tmp_path / "received")
    assert (second.verdict, second.waiting) == ("intact", 0)
    assert received(second) == files_in(source.directory)


def test_a_changed_line_is_kept_aside_and_never_written_as_if_whole(source: Log, tmp_path: Path) -> None:
    lines = lines_of(source)
    lines[2] = lines[2].replace(b"test.event", b"best.event")
    told = []
    collected = collect(lines, tmp_path / "received", tell=told.append)
    assert (collected.verdict, collected.exit_code) == ("tampered", 1)
    assert told[0].kind == "record-modified"
    assert told[0].line == 3
    assert b"best.event" in Path(collected.aside).read_bytes()
    assert not any(b"best.event" in data for data in received(collected).values())
    assert verify(collected.logs[0].path).verdict == "incomplete"


def test_the_torn_end_of_a_sealed_segment_comes_as_lines(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    log = Log(tmp_path / "source").fill(3)
    before = log.seq, log.head, log._size
    batch = log.batch([{"type": "a.b"}] * 3)
    log.active.write_bytes(log.active.read_bytes()[: -len(batch[-1])] + b'{"seq":7,"ts"')
    log.seq, log.head, log._size = before
    log.seal().fill(2)
    assert verify(log.active).verdict == "intact"
    lines = [line for path in log.paths for line in path.read_bytes().split(b"\n") if line]
    collected = collect(lines, tmp_path / "received")
    assert collected.verdict == "intact"
    assert received(collected) == files_in(log.directory)
    random.Random(3).shuffle(lines)
    collected = collect(lines, tmp_path / "shuffled")
    assert received(collected) == files_in(log.directory)


def test_two_collectors_of_one_directory(tmp_path: Path) -> None:
    with Collector(tmp_path / "received"), pytest.raises(LockedError, match="collects into this directory"):
        Collector(tmp_path / "received")
    Collector(tmp_path / "received").close()


def resealed(line: bytes, *, prev: bytes = b"") -> bytes:
    """A line that was changed, with the hash that is right for it then."""
    text = line[:-76] if not prev else line[:-141] + prev + b'"'
    return text + b',"hash":"%b"}\n' % record.hash_of(text + line[-76:]).encode()


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("first", [True, False])
def test_of_two_histories_the_one_is_kept_that_the_next_header_vouches_for(
    source: Log, tmp_path: Path, first: bool, length: int
) -> None:
    lines = lines_of(source)
    at = next(number for number, line in enumerate(lines) if b"test.event" in line and number > 8)
    forged = [resealed(lines[at].replace(b"test.event", b"best.event"))]
    if length == 2:
        forged.append(resealed(lines[at + 1], prev=forged[0][-67:-3]))
    assert all(record.own_hash_right(line) for line in forged)
    stream = lines[:at] + (forged + lines[at : at + 2] if first else lines[at : at + 2] + forged) + lines[at + 2 :]
    collected = collect(stream, tmp_path / "received")
    assert (collected.verdict, collected.waiting) == ("forked", 0)
    assert received(collected) == files_in(source.directory)
    assert collected.forks is not None
    assert b"best.event" in Path(collected.forks).read_bytes()


def test_what_the_source_lost_or_rolled_back_is_no_part_of_the_log_and_named(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    log = Log(tmp_path / "source").fill(5)
    lost = lines_of(log)[-2:]
    log.active.write_bytes(log.active.read_bytes()[: -sum(map(len, lost))])
    log.seq, log._size = log.seq - 2, log.active.stat().st_size
    log.head = lines_of(log)[-1][-67:-3].decode()
    log.seal().fill(2)
    lines = lines_of(log)
    for name, stream in {"live": [*lines[:4], *lost, *lines[4:]], "late": [*lines, *lost]}.items():
        collected = collect(stream, tmp_path / name)
        assert received(collected) == files_in(log.directory)
        assert collected.forks is not None
        kept = [json.loads(line)["line"].encode() for line in Path(collected.forks).read_bytes().splitlines()]
        assert kept == lost
        assert collect([], tmp_path / name).verdict == "forked"  # until somebody has looked at it
        assert (collected.waiting, collected.verdict) == (0, "forked")  # a log that was rolled back looks the same


@pytest.mark.parametrize(
    "name", ["../../away.jsonl", "", "audit.jsonl", "a/b.20261121T101112123456Z.jsonl", "\x1b[31m"]
)
def test_a_header_that_names_what_no_segment_is_called_ends_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "source").mkdir()
    log = Log(tmp_path / "source").fill(2).seal(name=name).fill(2).seal(name=name).fill(1)
    collected = collect(lines_of(log), tmp_path / "received")
    assert (collected.verdict, collected.logs[0].whole) == ("tampered", 2)
    assert sorted(received(collected).values()) == sorted(files_in(log.directory).values())
    assert {path.name for path in tmp_path.iterdir()} == {"source", "received"}
    again = collect(lines_of(log), tmp_path / "received")
    assert (again.doubles, again.records) == (log.seq, 0)


@pytest.mark.parametrize("name", [".7.part", ".7.copy"])
def test_a_log_that_is_named_as_a_file_of_the_collectors_own_gets_another_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "source").mkdir()
    log = Log(tmp_path / "source", name).fill(2).seal().fill(2)
    for _ in range(2):
        collected = collect(lines_of(log), tmp_path / "received")
        assert collected.verdict == "intact"
        assert sorted(received(collected).values()) == sorted(files_in(log.directory).values())


@pytest.mark.parametrize(
    "name", ["audit.new", "audit.d", "audit.copy", "a\nb.jsonl", "no-extension", "with space [1].jsonl"]
)
def test_the_log_may_have_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "source").mkdir()
    log = Log(tmp_path / "source", name).fill(2).seal().fill(2)
    for _ in range(2):
        collected = collect(lines_of(log), tmp_path / "received")
        assert collected.verdict == "intact"
        assert received(collected) == files_in(log.directory)


def test_the_command(source: Log, tmp_path: Path, cli: CommandLine) -> None:
    data = b"".join(lines_of(source))
    ended = cli("collect", "here", stdin=data)
    assert ended.status == 0
    assert "20 segments, 19 of them whole" in ended.text
    ended = cli("collect", "--json", "there", stdin=data[: len(data) // 2] + b"\nnoise\n")
    assert ended.status == 0
    assert [shown["kind"] for shown in ended.records] == ["cut-line", "foreign-line", "report"]
    ended = cli("collect", "there", "-q", stdin=b"".join(lines_of(source)[30:]))
    assert (ended.status, ended.out, ended.err) == (0, b"", "")
    ended = cli("collect", "--confirm", "confirmed", stdin=data)
    assert (ended.status, ended.out) == (0, b"OK\n" * (source.seq + 1))
    assert "intact" in ended.err
    assert cli("collect", "--confirm", "--json", "there").status == 2
    assert cli("collect", "empty").status == 3
    (tmp_path / "file").write_bytes(b"")
    ended = cli("collect", tmp_path / "file", stdin=data)
    assert (ended.status, "cannot be collected into" in ended.err) == (4, True)


@pytest.mark.parametrize("command", [("collect", "x"), ("verify", "--stdin")], ids=["collect", "verify"])
def test_patience_is_a_number_of_seconds(cli: CommandLine, command: tuple[str, ...]) -> None:
    done = cli(*command, "--patience", "nan")
    assert done.status == 2
    assert "no number of seconds" in done.err


def test_words_about_much_noise_come_to_an_end(cli: CommandLine) -> None:
    ended = cli("collect", "here", stdin=b"".join(b"noise %d\n" % n for n in range(300)))
    assert ended.err.count("foreign-line") == 101
    assert "300 foreign-line" in ended.text


def test_killed_and_begun_again_until_all_is_there(source: Log, tmp_path: Path) -> None:
    """A process that is killed at any time; its sender sends all of it again."""
    data = b"".join(lines_of(source))
    place, lot = tmp_path / "received", random.Random(2)
    for _ in range(6):
        with start("collect", "-q", str(place), cwd=tmp_path, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(data[: lot.randrange(len(data))])
                process.stdin.flush()
            if lot.random() < 0.5:
                wait_until(lambda: place.is_dir() and any(path.name != ".collect" for path in place.iterdir()))
            process.kill()
    collected = collect(data.splitlines(), place)
    assert collected.verdict == "intact"
    assert received(collected) == files_in(source.directory)


def wait_until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_segments_that_somebody_compressed_are_known_all_the_same(source: Log, tmp_path: Path) -> None:
    first = collect(lines_of(source), tmp_path / "received")
    sealed = sorted(Path(first.logs[0].path).parent.glob("gateway.2*"))
    for path in sealed:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    again = collect(lines_of(source), tmp_path / "received")
    assert (again.verdict, again.records, again.doubles, again.waiting) == ("intact", 0, source.seq, 0)


def test_records_of_a_log_of_which_no_header_came_wait(source: Log, tmp_path: Path) -> None:
    collected = collect(source.lines(1)[1:], tmp_path / "received")
    assert (collected.verdict, collected.records, collected.logs) == ("incomplete", 0, ())
    assert [finding.kind for finding in collected.findings] == ["unattached"]
    whole = collect(source.lines(1)[:1], tmp_path / "received")
    assert (whole.verdict, whole.waiting) == ("intact", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_all_that_came_on_the_disk(source: Log, tmp_path: Path, number: signal.Signals) -> None:
    place = tmp_path / "received"
    with start(
        "collect", "--confirm", str(place), cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(lines_of(source)))
        process.stdin.flush()
        for _ in range(source.seq + 1):
            assert process.stdout.readline() == b"OK\n"
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
    (folder,) = [path for path in place.iterdir() if path.name != ".collect"]
    assert files_in(folder) == files_in(source.directory)


def test_what_got_lost_on_the_way_stays_lost_when_the_source_purges_it(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    log = Log(tmp_path / "source").fill(3).seal().fill(3).seal().fill(3)
    through = Floor(3, log.seq, log.head)
    log.seal()
    log.floor = through
    log.fill(1).seal().fill(1)
    first, second, third = (log.lines(number) for number in (1, 2, 3))
    rest = [line for number in (4, 5) for line in log.lines(number)]
    assert collect([*first, *third], tmp_path / "a").verdict == "incomplete"
    after = collect(rest, tmp_path / "a")
    assert (after.verdict, after.logs[0].gaps) == ("incomplete", ((len(first) + 1, len(first) + len(second)),))
    assert collect(second, tmp_path / "a").verdict == "intact"
    assert collect(rest, tmp_path / "b").verdict == "intact"  # purged before anything of it came
