"""One record is found by its seq or its id, and the figures about a log are right."""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from pathlib import Path

import pytest
from logs import Log, build

from jsonl_audit import AuditLog, Notice, QueryError, get, query, record
from jsonl_audit.reader import get_line, info


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log of three segments with five records behind each header. Shared: not to be changed."""
    return build(tmp_path_factory.mktemp("three"))


def test_every_record_is_found_by_its_seq_and_by_its_id(three: Log) -> None:
    for found in query(three.active, control=True):
        assert get(three.active, found["seq"]) == found
        assert get(three.active, str(found["seq"])) == found
        assert get(three.active, found["id"]) == found
        assert get(three.active, uuid.UUID(found["id"])) == found
        assert record.decode(get_line(three.active, found["id"]) or b"") == found


def test_an_id_is_found_where_its_time_says_and_where_it_says_wrong(log_dir: Path) -> None:
    path = log_dir / "audit.jsonl"
    with AuditLog(path, max_bytes=2000, fsync="never") as log:
        made = [log.append("x").id for _ in range(30)]
        own = str(uuid.uuid4())
        old = "00000000-0000-7000-8000-000000000001"
        late = "ffffffff-ffff-7fff-bfff-ffffffffffff"
        for each in (own, old, late):
            log.append("x", id=each)
    for each in (*made, own, old, late, own.upper()):
        found = get(path, each)
        assert found is not None
        assert found["id"] == each.lower()


def test_what_is_not_there_is_none(three: Log) -> None:
    assert get(three.active, 0) is None
    assert get(three.active, 19) is None
    assert get(three.active, str(uuid.uuid4())) is None
    assert get(three.active, "01a1fd96-aa7b-7c10-9f3a-2b6c1d8e4f01") is None


@pytest.mark.parametrize("which", ["", "x", "-1", "1.5", -1, True, "01a1fd96", None])
def test_what_is_neither_seq_nor_id_is_refused(three: Log, which: object) -> None:
    with pytest.raises(QueryError, match="no seq"):
        get(three.active, which)  # type: ignore[arg-type]


def test_the_figures_are_those_of_the_files(three: Log) -> None:
    found = info(three.active)
    everything = list(query(three.active, control=True))
    assert found.log == three.id
    assert (found.first_seq, found.last_seq, found.records) == (1, 18, 18)
    assert (found.first_ts, found.last_ts) == (everything[0]["ts"], everything[-1]["ts"])
    assert found.head == everything[-1]["hash"] == three.head
    assert found.types == dict(Counter(each["type"] for each in everything))
    assert found.size == sum(len(three.read(number)) for number in (1, 2, 3))
    assert [(each.number, each.first_seq, each.last_seq, each.active) for each in found.segments] == [
        (1, 1, 6, False), (2, 7, 12, False), (3, 13, 18, True),
    ]  # fmt: skip
    assert [each.name for each in found.segments] == [path.name for path in three.paths]
    assert all(each.size == each.committed for each in found.segments)
    assert info(three.active, types=False).types is None
    assert found.to_dict()["segments"][2]["active"] is True


def test_what_is_not_committed_is_not_counted(log_dir: Path, three: Log) -> None:
    shutil.copytree(three.directory, log_dir / "copy")
    path = log_dir / "copy" / "audit.jsonl"
    with path.open("ab") as file:
        file.write(b'{"seq":19,"ts":"')
    found = info(path)
    assert (found.last_seq, found.records) == (18, 18)
    assert found.segments[-1].size - found.segments[-1].committed == 16


def test_a_purged_log_says_so(log_dir: Path) -> None:
    log = build(log_dir, segments=3).purge(1)
    log.seal()
    found = info(log.active)
    assert (found.first_seq, found.purged_through) == (7, 6)


def test_an_empty_file_has_no_figures(log_dir: Path) -> None:
    (log_dir / "audit.jsonl").touch()
    found = info(log_dir / "audit.jsonl")
    assert (found.segments, found.last_seq, found.head, found.types) == ([], None, None, {})


def test_lines_that_are_no_records_are_not_counted_and_told(log_dir: Path) -> None:
    log = build(log_dir, segments=1, events=2)
    log.insert_line(1, 1, b"junk\n")
    log.insert_line(1, 1, b"{}\n")
    notices: list[Notice] = []
    assert info(log.active, on_damage=notices.append).records == 3
    assert [(notice.kind, notice.lines) for notice in notices] == [("damage", 2)]
    assert str(notices[0]).startswith("audit.jsonl holds 2 lines that are no records, not counted")
    assert info(log.active, types=False).last_seq == 3
