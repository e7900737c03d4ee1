"""A stream of records is checked by seq, prev and hash as it comes, whatever a shipper does to it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commandline import CommandLine, cli
from logs import OTHER, Log

from jsonl_audit import record, verify_stream
from jsonl_audit.receive import StreamCheck

if TYPE_CHECKING:
    from jsonl_audit import StreamReport

__all__ = ["cli"]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A log of three segments."""
    return Log(tmp_path).fill(40).seal().fill(5).seal().fill(4)


def lines_of(log: Log) -> list[bytes]:
    return [line for path in log.paths for line in path.read_bytes().splitlines(keepends=True)]


def kinds(report: StreamReport) -> list[str]:
    return [finding.kind for finding in report.findings]


def test_a_stream_in_order_is_intact(log: Log) -> None:
    report = verify_stream(lines_of(log))
    assert (report.verdict, report.records, report.doubles, report.findings) == ("intact", log.seq, 0, ())
    assert (report.logs[0].log, report.logs[0].last_seq, report.logs[0].head) == (log.id, log.seq, log.head)


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_how_the_bytes_are_cut_into_blocks_changes_nothing(log: Log, size: int, tmp_path: Path) -> None:
    data = b"".join(lines_of(log))
    check = StreamCheck()
    for at in range(0, len(data), size):
        check.feed(data[at : at + size])
    check.finish()
    assert (check.records, len(check.runs), check.told.counts) == (log.seq, 1, {})
    (tmp_path / "stream").write_bytes(data)
    with (tmp_path / "stream").open("rb") as file:
        assert verify_stream(file).verdict == "intact"


@pytest.mark.parametrize("seed", range(4))
def test_doubles_and_any_order_are_intact(log: Log, seed: int) -> None:
    lines = lines_of(log) * 3
    random.Random(seed).shuffle(lines)
    report = verify_stream(lines)
    assert (report.verdict, report.records, report.doubles) == ("intact", log.seq, 2 * log.seq)
    assert report.findings == ()


def test_every_line_that_is_left_out_is_missing(log: Log) -> None:
    lines = lines_of(log)
    for at in range(1, len(lines) - 1):
        report = verify_stream(lines[:at] + lines[at + 1 :])
        assert (report.verdict, report.logs[0].gaps) == ("incomplete", ((at + 1, at + 1),)), at
    assert kinds(verify_stream(lines[1:])) == ["begins-late"]
    assert verify_stream(lines[:-1]).verdict == "intact"  # what is cut off at the end leaves no trace


def test_every_line_that_was_changed_on_the_way_is_named(log: Log) -> None:
    lines = lines_of(log)
    for at, line in enumerate(lines):
        changed = line.replace(b'"ts":"2', b'"ts":"1', 1)
        report = verify_stream([*lines[:at], changed, *lines[at + 1 :]])
        assert report.verdict == "tampered"
        assert next((f.kind, f.line) for f in report.findings if f.kind != "gap") == ("record-modified", at + 1)


def test_a_record_that_was_replaced_together_with_its_hash_is_a_fork(log: Log) -> None:
    lines = lines_of(log)
    forged = _resealed(lines[9].replace(b"test.event", b"best.event"))
    for stream in ([*lines[:10], forged, *lines[10:]], [*lines[:9], forged, *lines[9:]]):
        report = verify_stream(stream)
        assert report.verdict == "forked"
        assert report.findings[0].first_seq == 10


def _resealed(line: bytes) -> bytes:
    return line[:-76] + b',"hash":"%b"}\n' % record.hash_of(line).encode()


def test_a_history_told_anew_long_after_is_found_by_the_hashes_that_were_kept(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Log(tmp_path / "one"), Log(tmp_path / "two")
    for log in (one, two):
        log.fill(1500)
    two.add("test.forged")
    one.add("test.event")
    for log in (one, two):
        log.fill(1500)
    check = StreamCheck()
    check.take(lines_of(one))
    check._recent.clear()
    check._before.clear()
    lines = lines_of(two)
    check.take(lines)
    report = verify_stream([])
    assert report.verdict == "empty"
    from jsonl_audit.receive.checking import judged
    from jsonl_audit.receive.gaps import GapWatch

    report = judged(check, GapWatch(check.gaps, check.told, 0))
    assert report.verdict == "forked"
    assert "part behind seq 1024" in report.findings[-1].message


def test_the_same_told_anew_long_after_is_a_double(log: Log) -> None:
    from jsonl_audit.receive.checking import judged
    from jsonl_audit.receive.gaps import GapWatch

    check = StreamCheck()
    check.take(lines_of(log))
    check._recent.clear()
    check._before.clear()
    check.take(lines_of(log))
    report = judged(check, GapWatch(check.gaps, check.told, 0))
    assert (report.verdict, report.records, report.doubles) == ("intact", log.seq, log.seq)


def test_several_logs_mixed_are_told_apart(log: Log, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Log(tmp_path / "other", log=OTHER).fill(30).seal().fill(3)
    lines = lines_of(log) + lines_of(other)
    random.Random(1).shuffle(lines)
    report = verify_stream(lines)
    assert report.verdict == "intact"
    assert {found.log: (found.records, found.head) for found in report.logs} == {
        log.id: (log.seq, log.head), OTHER: (other.seq, other.head),
    }  # fmt: skip


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_an_unfinished_batch_is_void_when_its_seqs_are_taken_again(tmp_path: Path, seed: int | None) -> None:
    log = Log(tmp_path).fill(3)
    before = log.seq, log.head, log._size
    voided = log.batch([{"type": "a.b"}] * 4)
    log.active.write_bytes(log.active.read_bytes()[: -len(voided[-1])])
    log.seq, log.head, log._size = before
    log.seal().fill(2)
    lines = lines_of(log)
    if seed is not None:
        random.Random(seed).shuffle(lines)
    report = verify_stream(lines)
    assert (report.verdict, report.records, report.logs[0].head) == ("intact", log.seq, log.head)
    assert set(kinds(report)) == {"voided"}


def test_a_stream_that_ends_within_a_batch_is_torn(tmp_path: Path) -> None:
    log = Log(tmp_path).fill(3)
    log.batch([{"type": "a.b"}] * 4)
    report = verify_stream(lines_of(log)[:-2])
    assert (report.verdict, kinds(report)) == ("torn", ["torn-tail"])


def test_a_stream_cut_in_a_line_says_so_and_the_next_run_sends_the_line_again(log: Log) -> None:
    lines = lines_of(log)
    data = b"".join(lines)
    cut = len(b"".join(lines[:20])) + 50
    report = verify_stream([data[:cut]])
    assert (report.verdict, kinds(report), report.records) == ("intact", ["cut-line"], 20)
    glued = verify_stream([data[:cut] + b"".join(lines[20:])])
    assert (glued.verdict, kinds(glued), glued.records) == ("intact", ["cut-line"], log.seq)


def test_binary_noise_is_counted_and_hides_nothing(log: Log) -> None:
    lines, lot = lines_of(log), random.Random(5)
    noisy = [part for line in lines for part in (lot.randbytes(lot.randrange(1, 2000)) + b"\n", line)]
    report = verify_stream([b"".join(noisy)])
    assert (report.verdict, report.records) == ("intact", log.seq)
    assert set(kinds(report)) == {"foreign-line"}


def test_lines_of_any_length_pass(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log._put(record.Body(b"test.long", b',"details":"' + b"x" * 200_000 + b'"'))
    log.fill(2)
    assert verify_stream(lines_of(log)).verdict == "intact"
    report = verify_stream([*lines_of(log), b"y" * (record.HARD_LIMIT + 10)])
    assert (report.verdict, kinds(report)) == ("intact", ["long-line"])


WRAPPED = {
    "syslog": lambda line: b"<14>1 2026-11-21T10:11:12Z host app - - - " + line,
    "octets": lambda line: b"%d <14>Nov 21 10:11:12 host app: %b" % (len(line), line),
    "crlf": lambda line: line[:-1] + b"\r\n",
    "message": lambda line: json.dumps({"@timestamp": "2026", "message": line[:-1].decode()}).encode() + b"\n",
    "log": lambda line: json.dumps({"log": line.decode(), "stream": "stdout"}).encode() + b"\n",
    "nested": lambda line: json.dumps({"body": {"stringValue": line[:-1].decode()}}, ensure_ascii=False).encode(),
    "bom": lambda line: b"\xef\xbb\xbf" + line,
    "split": lambda line: line[:120] + b"\n" + line[120:200] + b"\n" + line[200:],
}


@pytest.mark.parametrize("way", WRAPPED)
def test_what_shippers_put_around_a_line_is_taken_off(log: Log, way: str) -> None:
    report = verify_stream([WRAPPED[way](line) for line in lines_of(log)])
    assert (report.verdict, report.records, report.findings) == ("intact", log.seq, ())


def test_the_field_of_a_wrapper_can_be_named(log: Log) -> None:
    lines = [json.dumps({"a": {"b": line.decode()}, "c": line.decode()}) for line in lines_of(log)]
    assert verify_stream(lines, field="a.b").records == log.seq
    assert verify_stream(lines, field="a.c").records == 0


def test_a_line_that_was_parsed_and_written_anew_is_named_as_that(log: Log) -> None:
    anew = [json.dumps(json.loads(line), sort_keys=True) for line in lines_of(log)]
    report = verify_stream(anew)
    assert (report.verdict, report.records) == ("tampered", 0)
    assert "let the shipper send lines as they are" in report.findings[0].message


def test_what_was_purged_at_the_source_is_not_missing(tmp_path: Path) -> None:
    from jsonl_audit.segment import Floor

    log = Log(tmp_path).fill(5)
    through = Floor(1, log.seq, log.head)
    log.seal().fill(2)
    log.floor = through
    log.seal().fill(3)
    first = len(log.lines(1))
    report = verify_stream(lines_of(log)[first:])
    assert (report.verdict, report.logs[0].first_seq) == ("intact", through.last_seq + 1)  # by the third one's header
    report = verify_stream(lines_of(log)[first + len(log.lines(2)) :])
    assert report.logs[0].first_seq > through.last_seq + 1
    assert report.verdict == "incomplete"


def test_gaps_are_told_as_they_open_and_close(log: Log) -> None:
    lines, told = lines_of(log), []
    report = verify_stream(iter([*lines[:5], *lines[8:20], *lines[5:8]]), tell=told.append, patience=0)
    assert report.verdict == "intact"
    spans = [(finding.kind, finding.first_seq, finding.last_seq) for finding in told]
    assert spans[0] == ("gap", 6, 8)
    assert spans[-1][0] == "gap-closed"


def test_memory_does_not_grow_with_gaps_that_stay(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jsonl_audit.receive.stream._MOST", 8)
    lines = lines_of(log)
    check = StreamCheck()
    check.take(lines[::2])
    assert len(check.runs) <= 9
    assert check.holes
    assert len(check.runs.begins) == len(check.runs.ends)


def test_the_command_says_it_in_words_in_json_and_by_its_exit_status(log: Log, cli: CommandLine) -> None:
    lines = lines_of(log)
    ended = cli("verify", "--stdin", stdin=b"".join(lines))
    assert (ended.status, ended.lines[0]) == (0, f"intact: {log.seq} lines, {log.seq} records")
    ended = cli("verify", "--stdin", "--json", stdin=b"".join([*lines[:5], b"noise\n", *lines[6:]]))
    assert ended.status == 3
    assert [shown["kind"] for shown in ended.records] == ["foreign-line", "gap", "report"]
    assert ended.records[-1]["verdict"] == "incomplete"
    ended = cli("verify", "--stdin", "-q", stdin=lines[0] + lines[1].replace(b"test.", b"best."))
    assert (ended.status, ended.out, ended.err) == (1, b"", "")
    assert cli("verify", "--stdin").status == 3
    for wrong in ("audit.jsonl", "--full", "--report=a.html"):
        ended = cli("verify", "--stdin", wrong)
        assert (ended.status, "--stdin is the lines of a stream" in ended.err) == (2, True)
    assert cli("verify", "--field", "message").status == 2


def test_a_batch_is_void_only_where_a_header_took_its_seq_and_it_has_no_end(tmp_path: Path) -> None:
    """Else one record of a batch, made up, would do away with all that came, or with what comes."""
    (tmp_path / "true").mkdir()
    (tmp_path / "evil").mkdir()
    true, evil = Log(tmp_path / "true"), Log(tmp_path / "evil")
    for log, word in ((true, "true"), (evil, "evil")):
        log.batch([{"type": f"{word}.one"}] * 3)
        log.fill(5)
    first, *ours = lines_of(true)
    _, *theirs = lines_of(evil)
    for stream in (
        [first, *ours, *theirs], [first, *theirs, *ours], [first, theirs[0], *ours], [first, *ours, theirs[0]],
        [first, *[line for pair in zip(ours, theirs, strict=True) for line in pair]],
    ):  # fmt: skip
        assert verify_stream(stream).verdict == "forked"


def test_records_that_a_header_goes_on_without_are_a_second_history_whatever_it_says_of_a_crash(
    tmp_path: Path,
) -> None:
    log = Log(tmp_path).fill(4)
    gone = log.fill(3).lines(1)[-3:]
    log.active.write_bytes(log.active.read_bytes()[: -sum(map(len, gone))])
    log.seq, log._size, log.head = log.seq - 3, log.active.stat().st_size, record.prev_of(gone[0])
    log.raw(b'{"seq":6')
    log.seal().fill(2)
    lines = lines_of(log)
    report = verify_stream([*lines[:5], *gone, *lines[5:]])
    assert report.verdict == "forked"
