"""What a verifier says of artifacts: missing, altered, referred to by nothing; of a log that has none, not a word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from blake3 import blake3
from disk import Disk
from logs import build

from jsonl_audit import references, verify
from jsonl_audit.artifacts import Store, folder_of, referring
from jsonl_audit.segment import Names
from jsonl_audit.verifier import Report

pytestmark = pytest.mark.usefixtures("quick_disk")


class Kept:
    """A log of three segments, of which the first two refer to an artifact each, and the last to both."""

    def __init__(self, disk: Disk, **options: Any) -> None:
        self.disk = disk
        self.store = Store(Names.of(disk.path))
        self.folder = Path(self.store.path)
        with disk.open(**options) as log:
            self.one, self.two = self.store.put("one" * 100), self.store.put("two")
            log.append("t", details={"output": self.one})
            log.append_many([{"type": "t"}, {"type": "t", "artifacts": [self.one]}])
            log.rotate()
            log.append("t", details=[{"deep": [self.two]}])
            log.rotate()
            log.append("t", artifacts=[self.one, self.two])

    def file(self, reference: dict[str, Any]) -> Path:
        return self.folder / reference["artifact"]

    def say(self, *, full: bool = False) -> Report:
        return verify(self.disk.path, full=full)


def kinds(report: Report) -> list[tuple[str, int | None, Any]]:
    return [(finding.kind, finding.seq, finding.expected) for finding in report.findings]


@pytest.fixture
def kept(disk: Disk) -> Kept:
    return Kept(disk)


def headers(disk: Disk) -> list[Any]:
    """What the headers say of the segments before theirs."""
    return [json.loads(disk.lines(path)[0])["details"]["previous"] for path in [*disk.sealed(), disk.path]]


@pytest.mark.parametrize("full", [False, True])
def test_a_log_with_all_its_artifacts_is_intact(kept: Kept, full: bool) -> None:
    report = kept.say(full=full)
    assert (report.verdict, report.findings, report.notes) == ("intact", (), ())


@pytest.mark.parametrize("full", [False, True])
def test_a_missing_artifact_is_told_with_the_first_record_that_refers_to_it(kept: Kept, full: bool) -> None:
    kept.file(kept.one).unlink()
    report = kept.say(full=full)
    assert (report.verdict, report.exit_code) == ("incomplete", 3)
    assert kinds(report) == [("artifact-missing", 2, kept.one["artifact"])]
    assert report.findings[0].segment == kept.disk.sealed()[0].name
    assert kept.one["artifact"] in str(report)
    kept.file(kept.two).unlink()
    assert [seq for _, seq, _ in kinds(kept.say())] == [2, 6]


def test_an_altered_artifact_is_tampered(kept: Kept) -> None:
    for data in (b"tWo", b"tw", b"two\n", b""):
        kept.file(kept.two).write_bytes(data)
        report = kept.say()
        assert (report.verdict, kinds(report)) == ("tampered", [("artifact-altered", 6, kept.two["artifact"])])


def test_a_link_to_the_same_content_is_not_what_was_stored(kept: Kept, tmp_path: Path) -> None:
    shutil.move(kept.file(kept.two), tmp_path / "elsewhere")
    kept.file(kept.two).symlink_to(tmp_path / "elsewhere")
    assert kept.say().verdict == "tampered"


def test_a_log_that_is_copied_without_its_folder_says_what_it_lacks(kept: Kept, tmp_path: Path) -> None:
    copy = kept.disk.copy(tmp_path / "copy")
    shutil.rmtree(copy.folder / "audit.jsonl.d")
    report = verify(copy.path)
    assert (report.verdict, len(report.findings)) == ("incomplete", 1)
    assert "audit.jsonl.d/artifacts" in report.findings[0].message
    assert report.findings[0].expected == 2
    assert "Copy the folder" in str(report)


def test_what_nothing_refers_to_is_noted_and_changes_nothing(kept: Kept) -> None:
    hashes = sorted(kept.store.put(f"stray {n}")["artifact"] for n in range(5))
    (kept.folder / "new-1-2").write_bytes(b"half")
    report = kept.say()
    assert (report.verdict, [note.kind for note in report.notes]) == ("intact", ["artifact-unreferenced"])
    assert "5 artifacts" in report.notes[0].message
    assert all(own in report.notes[0].message for own in hashes[:3])
    assert hashes[3] not in report.notes[0].message


def test_what_only_purged_records_referred_to_is_noted(kept: Kept) -> None:
    with kept.disk.open() as log:
        log.append("t")
        log.rotate()
        log.purge(keep=1, reason="test")
    report = kept.say()
    assert (report.verdict, {note.kind for note in report.notes}) == ("intact", {"purged-prefix"})
    with kept.disk.open() as log:
        log.append("t")
        log.rotate()
        log.purge(keep=1, reason="test")
    report = kept.say()
    assert (report.verdict, [note.kind for note in report.notes]) == (
        "intact", ["purged-prefix", "artifact-unreferenced"],
    )  # fmt: skip


def test_single_files_are_verified_without_their_artifacts_and_that_is_said(kept: Kept) -> None:
    shutil.rmtree(kept.folder)
    first, second = kept.disk.sealed()
    assert verify([first, second, kept.disk.path]).verdict == "intact"
    report = verify([first, second])
    assert [note.kind for note in report.notes] == ["artifacts-not-looked-for"]
    assert verify(first).verdict == "intact"


def test_references_in_lines_that_do_not_count_are_none(kept: Kept) -> None:
    stray = b'{"seq":9,"details":{"artifact":"%b","bytes":1}' % (b"0" * 64)
    kept.disk.grow(stray)
    assert [finding.kind for finding in kept.say().findings] == ["torn-tail"]
    kept.disk.grow(b"}\n")
    assert [finding.kind for finding in kept.say().findings] == ["malformed-line"]


def test_a_line_whose_hash_is_wrong_refers_to_nothing(kept: Kept) -> None:
    data = kept.disk.path.read_bytes()
    kept.disk.path.write_bytes(data.replace(kept.two["artifact"].encode(), b"0" * 64))
    assert [finding.kind for finding in kept.say().findings] == ["record-modified"]


def test_more_than_can_be_named_are_counted(tmp_path: Path) -> None:
    log = build(tmp_path / "log", segments=1)
    log.add("t", artifacts=[{"artifact": blake3(b"%d" % n).hexdigest(), "bytes": 1} for n in range(130)])
    Store(log.names).put("there is a folder")
    report = verify(log.active)
    assert len(report.findings) == 101
    assert "30 artifacts more" in report.findings[-1].message


# -- what headers say


def test_a_header_says_whether_the_segment_before_refers_to_anything(kept: Kept) -> None:
    with kept.disk.open() as log:
        log.rotate()
        log.append("t", text='{"artifact":"' + "0" * 64 + '","bytes":1}')
        log.rotate()
        log.append("t")
    said = [previous and previous.get("artifacts") for previous in headers(kept.disk)]
    assert said == [None, True, True, True, None]
    assert kept.say().verdict == "intact"


def _reopened(disk: Disk, **options: Any) -> None:
    with disk.open(**options) as log:
        log.append("t")
        log.rotate()


def _torn(disk: Disk) -> None:
    disk.grow(b'{"seq":')
    _reopened(disk.forget())


def _shared(disk: Disk) -> None:
    _reopened(disk, shared=True)


def _removed(disk: Disk) -> None:
    with disk.open() as log:
        log.rotate()
    disk.path.unlink()
    disk.open().close()


@pytest.mark.parametrize("how", [_reopened, _torn, _shared, _removed])
def test_however_a_segment_comes_to_be_sealed_its_references_are_known(
    disk: Disk, how: Callable[[Disk], None]
) -> None:
    reference = Store(Names.of(disk.path)).put("content")
    with disk.open() as log:
        log.append("t", details=reference)
    how(disk)
    assert headers(disk)[1]["artifacts"] is True
    shutil.rmtree(folder_of(Names.of(disk.path)))
    assert "artifact-missing" in [finding.kind for finding in verify(disk.path).findings]


def test_lines_of_another_process_are_looked_at_too(disk: Disk) -> None:
    reference = Store(Names.of(disk.path)).put("content")
    with disk.open(shared=True) as one, disk.open(shared=True) as other:
        one.append("t")
        other.append("t", details=reference)
        one.append("t")
        one.rotate()
    assert headers(disk)[1]["artifacts"] is True


def test_a_writer_that_lost_its_file_says_what_it_chained(disk: Disk) -> None:
    reference = Store(Names.of(disk.path)).put("content")
    with disk.open() as log:
        log.append("t", details=reference)
        disk.path.unlink()
        log.flush()
        log.append("t")
    assert headers(disk)[0]["artifacts"] is True


def test_a_segment_that_refers_to_nothing_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = build(tmp_path / "plain", segments=4)
    searched: list[str] = []

    def look(checked: Any, content: Any) -> None:
        searched.append(checked.file.name)

    for module in ("newest", "sealed"):
        monkeypatch.setattr(f"jsonl_audit.verifier.{module}.look", look)
    for full in (False, True):
        assert verify(log.active, full=full).ok
    assert searched == ["audit.jsonl"] * 2


# -- finding them


@pytest.mark.parametrize("block", [1, 100, 1000, 1 << 20])
def test_references_are_found_wherever_the_windows_end(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(referring, "_BLOCK", block)
    for reference in (kept.one, kept.two):
        kept.file(reference).unlink()
    assert [seq for _, seq, _ in kinds(kept.say())] == [2, 6]


def test_beside_a_writer_there_is_no_false_alarm(disk: Disk) -> None:
    store = Store(Names.of(disk.path))
    with disk.open(max_bytes=3000) as log:
        for number in range(40):
            log.append("t", details=store.put(f"content {number}"))
            report = verify(disk.path)
            assert report.ok, str(report)
            assert "artifact-unreferenced" not in {note.kind for note in report.notes}


def test_a_compressed_segment_is_searched_as_what_it_holds(kept: Kept) -> None:
    import gzip

    first = kept.disk.sealed()[0]
    first.with_name(f"{first.name}.gz").write_bytes(gzip.compress(first.read_bytes()))
    first.unlink()
    kept.file(kept.one).unlink()
    assert [seq for _, seq, _ in kinds(kept.say())] == [2]


def test_a_reference_is_one_whatever_comes_behind_its_first_two_members() -> None:
    own = "0" * 64
    line = orjson.dumps({"a": {"artifact": own, "bytes": 0}, "b": {"artifact": own, "bytes": 7, "x": 1}})
    assert [found for found, _ in references.found_in(line)] == [own, own]


def test_a_file_with_the_name_of_the_folder_keeps_nobody_from_verifying(disk: Disk) -> None:
    with disk.open() as log:
        log.append("t")
    Path(f"{disk.path}.d").write_bytes(b"in the way")
    assert verify(disk.path).verdict == "intact"
