"""A manifest says what the files of a log were, and what of a copy is not that."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from blake3 import blake3
from disk import Disk

from jsonl_audit import LogError, NewerFormatError, StorageError, manifest, verify


def test_a_manifest_says_of_each_file_its_digests_and_where_its_records_begin_and_end(disk: Disk) -> None:
    disk.make(3, 2, 1)
    made = manifest.make(disk.path)
    report = verify(disk.path)
    assert [each.name for each in made.files] == [path.name for path in [*disk.sealed(), disk.path]]
    assert [each.segment for each in made.files] == [1, 2, 3]
    for entry in made.files:
        data = (disk.folder / entry.name).read_bytes()
        lines = [json.loads(line) for line in data.splitlines()]
        assert (entry.bytes, entry.blake3, entry.sha256) == (
            len(data), blake3(data).hexdigest(), hashlib.sha256(data).hexdigest(),
        )  # fmt: skip
        assert (entry.first_seq, entry.last_seq, entry.head) == (lines[0]["seq"], lines[-1]["seq"], lines[-1]["hash"])
    assert (made.first_seq, made.last_seq, made.head) == (report.first_seq, report.last_seq, report.head)


def test_it_comes_back_from_its_file_as_it_was_made_and_is_never_written_over(disk: Disk, tmp_path: Path) -> None:
    made = manifest.make(disk.make(2).path)
    path = tmp_path / "manifest.json"
    manifest.dump(made, path)
    assert manifest.load(path) == manifest.load(path.read_bytes()) == made
    with pytest.raises(StorageError, match="nothing is written over"):
        manifest.dump(made, path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_end_that_a_crash_left_is_in_the_digest_and_not_in_the_head(disk: Disk) -> None:
    head = manifest.make(disk.make(2).path).head
    disk.grow(b'{"seq":5,"ts":"20')
    made = manifest.make(disk.path)
    assert made.head == head
    assert made.files[0].bytes == disk.path.stat().st_size


def test_a_packed_file_has_the_digests_of_what_lies_there_and_of_what_is_in_it(disk: Disk) -> None:
    sealed = disk.make(2, 2).sealed()[0]
    data = sealed.read_bytes()
    packed = sealed.with_name(sealed.name + ".gz")
    packed.write_bytes(gzip.compress(data))
    sealed.unlink()
    entry = manifest.make(disk.path).files[0]
    assert (entry.name, entry.blake3) == (packed.name, blake3(packed.read_bytes()).hexdigest())
    assert entry.content == {"bytes": len(data), "blake3": blake3(data).hexdigest()}
    assert entry.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_artifacts_are_listed_where_the_log_is_named_by_its_path(disk: Disk) -> None:
    with disk.open() as log:
        reference = log.attach(b"\0" * 5000)
        log.append("test.event", details={"file": reference})
    [entry] = manifest.make(disk.path).artifacts
    assert (disk.folder / entry.name).read_bytes() == b"\0" * 5000
    assert (entry.bytes, entry.blake3) == (5000, reference["artifact"])
    assert manifest.make([disk.path]).artifacts == ()


@pytest.mark.parametrize(
    ("mishap", "kind"),
    [
        (lambda disk: disk.flip(40, disk.sealed()[0]), "altered"),
        (lambda disk: disk.cut(-1, disk.sealed()[0]), "shorter"),
        (lambda disk: disk.grow(b"x", disk.sealed()[0]), "longer"),
        (lambda disk: disk.sealed()[0].unlink(), "missing"),
    ],
    ids=["altered", "shorter", "longer", "missing"],
)
def test_a_file_that_is_not_what_it_was_is_told(disk: Disk, mishap, kind: str) -> None:  # type: ignore[no-untyped-def]
    made = manifest.make(disk.make(2, 2).path)
    name = disk.sealed()[0].name
    assert manifest.check(made, disk.folder) == []
    mishap(disk)
    assert [(each.name, each.kind) for each in manifest.check(made, disk.folder)] == [(name, kind)]


def test_a_list_is_exactly_these_files_of_one_log(disk: Disk, tmp_path: Path) -> None:
    disk.make(2, 2, 2)
    assert [each.segment for each in manifest.make(disk.sealed()[::-1]).files] == [1, 2]
    other = Disk(tmp_path / "other")
    other.folder.mkdir()
    other.make(1)
    with pytest.raises(LogError, match="several logs"):
        manifest.make([disk.path, other.path])
    with pytest.raises(LogError, match="nothing was named"):
        manifest.make([])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no manifest"),
        (b"{}", "no manifest"),
        (b"[1]", "no manifest"),
        (b'{"manifest":1}', "damaged"),
        (b'{"manifest":1,"files":[7]}', "damaged"),
        (b'{"manifest":1,"files":[{"name":"../x"}]}', "leads out of its folder"),
        (b'{"manifest":1,"files":[{"name":"x","bytes":-1}]}', "bytes is no number"),
    ],
)
def test_what_is_no_manifest_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(LogError, match=says):
        manifest.load(text)


def test_a_manifest_of_a_later_form_is_refused_and_members_that_are_not_known_are_ignored(disk: Disk) -> None:
    made = manifest.make(disk.make(1).path)
    with pytest.raises(NewerFormatError, match="use a newer jsonl-audit"):
        manifest.load(b'{"manifest":2}')
    assert manifest.load(json.dumps({**made.to_dict(), "colour": "red"}).encode()) == made


def test_there_is_no_manifest_of_what_is_not_there_or_no_log(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such log"):
        manifest.make(tmp_path / "audit.jsonl")
    (tmp_path / "audit.jsonl").write_text("hello\n")
    with pytest.raises(LogError, match="no file here begins with a header"):
        manifest.make(tmp_path / "audit.jsonl")
