"""Anchors: a rewritten log, a cut end and a purge that nothing vouches for are found by what was noted elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from commandline import CommandLine, cli
from logs import Log, build, rehashed

from jsonl_audit import AuditLog, QueryError, StorageError, manifest, record
from jsonl_audit.segment import Previous
from jsonl_audit.verifier import Report, verify
from jsonl_audit.verifier.anchors import parse

__all__ = ["cli"]


@pytest.fixture(params=[False, True], ids=["quick", "full"])
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return build(tmp_path / "log", segments=3, events=4)


def hash_at(log: Log, seq: int) -> str:
    for number in range(1, log.segment + 1):
        for line in log.lines(number) if log.paths[number - 1].exists() else ():
            if line.startswith(b'{"seq":%d,' % seq):
                return line[-67:-3].decode()
    raise AssertionError(seq)


def anchors(log: Log, *seqs: int) -> list[tuple[int, str]]:
    return [(seq, hash_at(log, seq)) for seq in seqs]


def said(report: Report) -> tuple[str, list[str], int | None]:
    """Verdict, kinds of findings, up to where it is anchored."""
    through = report.anchored.through_seq if report.anchored else None
    return report.verdict, [finding.kind for finding in report.findings], through


# -- a log that is as it was


def test_each_record_may_be_the_anchor(log: Log, full: bool) -> None:
    for seq in range(1, 16):
        report = verify(log.active, full=full, expect=anchors(log, seq))
        assert said(report) == ("intact", [], seq)
        assert report.anchored
        assert report.anchored.time is not None
        assert report.to_dict()["anchored"] == {"through_seq": seq, "by": "expect", "time": report.anchored.time}


def test_of_several_the_newest_is_told(log: Log, full: bool) -> None:
    assert said(verify(log.active, full=full, expect=anchors(log, 12, 3, 7))) == ("intact", [], 12)


def test_the_first_line_says_what_is_vouched_for(log: Log) -> None:
    last = verify(log.active, expect=anchors(log, 15)).text().splitlines()[0]
    assert "Anchored at seq 15 by a hash that was expected, the last: nothing was rewritten or cut off" in last
    middle = verify(log.active, expect=anchors(log, 7)).text().splitlines()[0]
    assert "up to there nothing was rewritten; behind it, that cannot be ruled out" in middle


def test_in_a_long_segment_with_long_lines_a_record_is_found(tmp_path: Path, full: bool) -> None:
    log = Log(tmp_path)
    for number in range(300):
        log.add("test.event", details={"text": "x" * (number * 97 % 30_000)})
    for seq in (1, 2, 57, 150, 299, 301):
        assert said(verify(log.active, full=full, expect=anchors(log, seq))) == ("intact", [], seq)


def test_a_torn_end_is_still_anchored(log: Log, full: bool) -> None:
    log.raw(b'{"seq":16,"ts"')
    assert said(verify(log.active, full=full, expect=anchors(log, 15))) == ("torn", ["torn-tail"], 15)


# -- a log that is not


def test_a_log_that_was_rewritten_as_a_whole_is_named(tmp_path: Path, log: Log, full: bool) -> None:
    noted = anchors(log, 3, 9, 15)
    (tmp_path / "again").mkdir()
    again = Log(tmp_path / "again").fill(2)
    again.add("test.event", details={"n": "another"})
    again.fill(1)
    again.seal().fill(4).seal().fill(4)
    assert verify(again.active, full=full).verdict == "intact"  # without an anchor it cannot be seen
    report = verify(again.active, full=full, expect=noted)
    assert said(report) == ("tampered", ["checkpoint-mismatch", "checkpoint-mismatch"], 3)
    [nine, fifteen] = report.findings
    assert (nine.seq, nine.expected, nine.actual) == (9, noted[1][1], hash_at(again, 9))
    assert nine.segment == again.paths[1].name
    assert nine.line == 4
    assert fifteen.seq == 15


def test_a_cut_end_is_named(log: Log, full: bool) -> None:
    noted = anchors(log, 14)
    lines = log.lines(3)
    log.write(3, lines[:3])
    assert verify(log.active, full=full).verdict == "intact"
    report = verify(log.active, full=full, expect=noted)
    assert said(report) == ("tampered", ["records-cut"], None)
    assert (report.findings[0].expected, report.findings[0].actual) == (14, 13)


def test_a_log_put_back_from_a_backup_is_named(tmp_path: Path, log: Log) -> None:
    shutil.copytree(log.directory, tmp_path / "backup")
    log.seal().fill(3)
    assert said(verify(tmp_path / "backup" / "audit.jsonl", expect=anchors(log, 18))) == (
        "tampered", ["records-cut"], None,
    )  # fmt: skip


def test_an_emptied_log_is_named(tmp_path: Path) -> None:
    log = Log(tmp_path).fill(2)
    noted = anchors(log, 2)
    log.write(1, b"")
    assert said(verify(log.active, expect=noted)) == ("tampered", ["records-cut"], None)


def test_where_the_end_is_not_here_nothing_is_called_cut(log: Log, full: bool) -> None:
    noted = anchors(log, 15)
    log.drop(3)
    assert said(verify(log.active, full=full, expect=noted)) == ("incomplete", ["anchor-missing"], None)
    files = log.paths[:2]
    assert said(verify(files, full=full, expect=noted)) == ("incomplete", ["anchor-missing"], None)


def test_an_anchor_in_a_missing_segment_vouches_for_nothing(log: Log, full: bool) -> None:
    noted = anchors(log, 8)
    log.drop(2)
    assert said(verify(log.active, full=full, expect=noted)) == (
        "incomplete", ["segment-missing", "anchor-missing"], None,
    )  # fmt: skip


def test_what_follows_an_anchored_record_vouches_for_it(log: Log, full: bool) -> None:
    noted = anchors(log, 10)
    log.drop(2)
    assert said(verify(log.active, full=full, expect=noted)) == ("incomplete", ["segment-missing"], 10)
    other = [(10, "0" * 64)]
    assert said(verify(log.active, full=full, expect=other)) == (
        "tampered", ["segment-missing", "checkpoint-mismatch"], None,
    )  # fmt: skip


def test_an_anchored_record_that_was_changed_or_taken_out_is_named(log: Log, full: bool) -> None:
    noted = anchors(log, 13)
    log.change(3, 2, b"test.event", b"test.evenT")
    report = verify(log.active, full=full, expect=noted)
    assert said(report) == ("tampered", ["record-modified", "checkpoint-mismatch"], None)
    log.delete_line(3, 2)
    assert said(verify(log.active, full=full, expect=noted)) == (
        "tampered", ["records-missing", "checkpoint-mismatch"], None,
    )  # fmt: skip


# -- purges


def test_a_purge_before_the_anchor_is_excused(log: Log, full: bool) -> None:
    log.purge(1).fill(1)
    for seq in (16, 17):
        report = verify(log.active, full=full, expect=anchors(log, seq))
        assert said(report) == ("intact", [], seq)
        assert [note.kind for note in report.notes] == ["purged-prefix"]


def test_a_purge_behind_the_last_anchor_excuses_nothing(log: Log, full: bool) -> None:
    early, noted, edge = anchors(log, 3), anchors(log, 15), anchors(log, 5)
    log.purge(1).fill(1).seal().fill(2)
    report = verify(log.active, full=full, expect=noted)
    assert said(report) == ("incomplete", ["segment-missing"], 15)
    assert "excuses nothing" in report.findings[0].message
    report = verify(log.active, full=full, expect=early)
    assert said(report) == ("incomplete", ["segment-missing", "anchor-missing"], None)
    assert said(verify(log.active, full=full, expect=edge)) == ("incomplete", ["segment-missing"], 5)
    later = anchors(log, 18)
    report = verify(log.active, full=full, expect=[*early, *later])
    assert said(report) == ("intact", [], 18)
    assert [note.kind for note in report.notes] == ["purged-prefix", "anchor-purged"]


def test_of_two_purges_each_is_held_against_the_anchor(log: Log, full: bool) -> None:
    log.purge(1).fill(1).seal().fill(1)
    between = anchors(log, 17)
    log.seal().fill(1).purge(2).fill(1)
    report = verify(log.active, full=full, expect=between)
    assert said(report)[0] == "incomplete"
    assert "segment 2 is not here" in report.findings[0].message
    assert said(verify(log.active, full=full, expect=anchors(log, log.seq))) == ("intact", [], log.seq)


def test_leftovers_of_a_purge_that_nothing_vouches_for_are_verified(log: Log, full: bool) -> None:
    noted = anchors(log, 15)
    log.purge(1, unlink=False).fill(1)
    assert said(verify(log.active, full=full, expect=noted)) == ("intact", [], 15)
    log.flip(1, 400)
    assert verify(log.active, full=full).verdict == "intact"
    assert verify(log.active, full=full, expect=noted).verdict == "tampered"


# -- the forms of an anchor


def test_whatever_was_kept_is_an_anchor(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with AuditLog(path) as log:
        receipts = [log.append("test.event", details={"n": n}) for n in range(3)]
        report = log.verify(expect=receipts[0])
        assert said(report) == ("intact", [], 2)
        assert report.to_dict()["anchored"]["by"] == "receipt"
    kept = receipts[-1]
    text = f"{kept.seq}:{kept.hash}"
    lines = tmp_path / "receipts.jsonl"
    lines.write_text("".join(json.dumps(receipt._asdict()) + "\n" for receipt in receipts))
    plain = tmp_path / "plain"
    plain.write_text(f"{text}\n\n")
    earlier = tmp_path / "report.json"
    earlier.write_text(json.dumps(report.to_dict(), indent=1))
    made = manifest.make(path)
    manifest.dump(made, tmp_path / "manifest.json")
    forms: list[Any] = [
        kept, text, text.upper(), (kept.seq, kept.hash), kept._asdict(), report, report.to_dict(), made,
        lines, str(lines), plain, earlier, tmp_path / "manifest.json",
    ]  # fmt: skip
    for form in forms:
        assert said(verify(path, expect=form)) == ("intact", [], 4)
        assert said(verify(path, expect=[form])) == ("intact", [], 4)
        assert said(verify(path, expect=(form, receipts[0]))) == ("intact", [], 4)


@pytest.mark.parametrize(
    "form",
    ["", "12", "0:" + "0" * 64, "3:" + "0" * 63, "no-such-file", 5, None, {}, {"seq": 1}, (1, "x"), {"head": None}],
    ids=repr,
)
def test_what_is_no_anchor_is_refused(form: Any) -> None:
    with pytest.raises(QueryError, match="no anchor"):
        parse([form])


def test_a_file_without_anchors_is_refused(tmp_path: Path) -> None:
    for number, text in enumerate([b"", b"\0\1", b"12\n", b'{"seq":1}\n{"seq":2}\n', b"[5]", b'"x"']):
        (tmp_path / str(number)).write_bytes(text)
        with pytest.raises(QueryError, match="no anchor"):
            parse(tmp_path / str(number))
    with pytest.raises(StorageError):
        parse(tmp_path / "nowhere")


def test_on_the_command_line(cli: CommandLine) -> None:
    path = cli.folder / "audit.jsonl"
    with AuditLog(path) as log:
        receipt = log.append("test.event")
    anchor = f"{receipt.seq}:{receipt.hash}"
    ended = cli("verify", "--expect", anchor)
    assert (ended.status, "Anchored at seq 2" in ended.lines[0]) == (0, True)
    assert json.loads(cli("verify", "--json", "--expect", anchor).out)["anchored"] == {
        "through_seq": 2, "by": "expect", "time": receipt.ts,
    }  # fmt: skip
    ended = cli("verify", "--expect", f"3:{receipt.hash}", "--expect", anchor)
    assert (ended.status, ended.text.startswith("tampered: ")) == (1, True)
    assert "records-cut, 1 place" in ended.text
    ended = cli("verify", "--expect", "nonsense")
    assert (ended.status, ended.out) == (2, b"")
    assert "'nonsense' is no anchor" in ended.err
    assert cli("verify", "--each", "--expect", anchor).status == 2


def rewritten(log: Log, number: int, line: int) -> None:
    """Changes a record and gives it its right hash; what follows in the segment stays, all behind it is made anew."""
    lines = log.lines(number)
    lines[line] = rehashed(lines[line].replace(b"test.event", b"test.evenT"))
    log.write(number, lines)
    data, prev = b"".join(lines), lines[-1][-67:-3]
    for after in range(number + 1, log.segment + 1):
        made = []
        for place, text in enumerate(log.lines(after)):
            if place == 0:
                said = Previous.parse(record.decode(text)["details"]["previous"])
                assert said is not None
                text = text.replace(said.blake3.encode(), blake3(data).hexdigest().encode())
            made.append(rehashed(text[:-141] + prev + text[-77:]))
            prev = made[-1][-67:-3]
        log.write(after, made)
        data = b"".join(made)


def test_an_anchor_vouches_for_what_is_linked_to_it_and_not_for_what_stands_before_it(log: Log, full: bool) -> None:
    noted = anchors(log, 5)
    rewritten(log, 1, 1)
    assert hash_at(log, 5) == noted[0][1]
    assert verify(log.active).verdict == "intact"  # to the digests, which are made anew, all is well
    report = verify(log.active, full=full, expect=noted)
    assert said(report)[:2] == ("tampered", ["chain-broken"])


def test_a_rewrite_before_an_anchor_of_a_later_segment_is_found_by_the_digest(log: Log, full: bool) -> None:
    noted = anchors(log, 15)
    lines = log.lines(1)
    lines[1] = rehashed(lines[1].replace(b"test.event", b"test.evenT"))
    log.write(1, lines)
    assert verify(log.active, full=full, expect=noted).verdict == "tampered"


def test_a_log_cannot_vouch_for_itself(log: Log) -> None:
    for path in log.paths:
        with pytest.raises(QueryError, match="cannot vouch for itself"):
            verify(log.active, expect=path)
