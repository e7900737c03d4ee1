"""Queries give exactly the records that fit, whatever the size of blocks or the order of times."""

from __future__ import annotations

import contextlib
import gzip
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from disk import Calls
from hypothesis import given
from hypothesis import strategies as st
from logs import START, Log, build
from reads import STEPS, seqs, written

from jsonl_audit import AuditError, AuditLog, QueryError, StorageError, WrongLogError, instants, query, record, tail
from jsonl_audit.reader import query_lines


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log of three segments with five records behind each header. Shared: not to be changed."""
    return build(tmp_path_factory.mktemp("three"))


# -- what comes back


@pytest.mark.parametrize("name", ["close", "list_directory", "open_read", "read", "stat"])
def test_where_a_call_fails_all_comes_back_or_a_storage_error(log_dir: Path, calls: Calls, name: str) -> None:
    log = build(log_dir, segments=3, events=2)
    for nth in range(1, 20):
        calls.fail(name, nth)
        with contextlib.suppress(StorageError):
            assert seqs(log.active) == list(range(1, 10))


@pytest.mark.parametrize("max_bytes", [64 * 1024, 100 * 2**20])
def test_real_events_come_back_as_they_went_in(
    cloudtrail: list[dict[str, Any]], log_dir: Path, max_bytes: int
) -> None:
    path = log_dir / "audit.jsonl"
    with AuditLog(path, max_bytes=max_bytes, fsync="never", redact=None) as log:
        log.append_group([{"type": "cloud.trail", "details": event} for event in cloudtrail])
    assert [orjson.loads(line)["details"] for line in query_lines(path)] == cloudtrail
    assert [found["details"] for found in query(path, type="cloud.*", reverse=True)] == cloudtrail[::-1]
    wanted = cloudtrail[1234]["eventID"]
    same = [event for event in cloudtrail if event["eventID"] == wanted]
    assert [found["details"] for found in query(path, where={"details.eventID": wanted})] == same


def test_a_record_is_the_dict_that_its_line_is(three: Log) -> None:
    lines = [line for number in (1, 2, 3) for line in three.lines(number)]
    assert list(query(three.active, control=True)) == [orjson.loads(line) for line in lines]
    assert list(query_lines(three.active, control=True)) == lines
    assert list(query(three.active, control=True))[1]["hash"] == record.hash_of(lines[1])


def test_a_query_is_lazy_and_shows_the_log_of_one_moment(log_dir: Path) -> None:
    log = build(log_dir, segments=2, events=3)
    found = query(log.active, control=True)
    log.add("before.the.first.was.asked.for")
    first = next(found)
    log.add("later")
    log.seal().fill(3)
    assert [first["seq"], *(each["seq"] for each in found)] == list(range(1, 10))


# -- places, limits, directions: everything that does not look at what an event says


@given(
    after=st.integers(0, 25), offset=st.integers(0, 8), limit=st.none() | st.integers(0, 8), reverse=st.booleans(),
    control=st.booleans(), block=st.sampled_from([1, 2, 100, 400, 5000, 1 << 20]),
)  # fmt: skip
def test_after_offset_limit_and_reverse_cut_a_part_out_of_all(
    three: Log, after: int, offset: int, limit: int | None, reverse: bool, control: bool, block: int
) -> None:
    all_of_them = list(query(three.active, control=True))
    expected = [each for each in all_of_them if each["seq"] > after and (control or each["type"] != "audit.segment")]
    expected = (expected[::-1] if reverse else expected)[offset:][:limit]
    found = query(
        three.active, after=after, offset=offset, limit=limit, reverse=reverse, control=control, block=block
    )
    assert list(found) == expected


@pytest.mark.exhaustive
@given(steps=STEPS, since=st.none() | st.integers(-5, 40), until=st.none() | st.integers(-5, 40), data=st.data())
def test_since_and_until_are_right_for_events_recorded_late_or_early(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any], since: int | None, until: int | None, data: Any
) -> None:
    if since is not None and until is not None and since > until:
        since, until = until, since
    directory = tmp_path_factory.mktemp("late")
    path = written(directory, steps).active
    low = None if since is None else instants.text(START + since * 1_000_000)
    high = None if until is None else instants.text(START + until * 1_000_000)
    times = {each["seq"]: each.get("time", each["ts"]) for each in query(path, control=True)}
    expected = [seq for seq, at in times.items() if (low is None or at >= low) and (high is None or at < high)]
    block = data.draw(st.sampled_from([1, 300, 1 << 20]))
    assert seqs(path, since=low, until=high, block=block) == expected
    assert seqs(path, since=low, until=high, block=block, reverse=True) == expected[::-1]
    kind = {"type": "kind.1"}
    assert seqs(path, since=low, until=high, **kind) == [seq for seq in expected if seq in seqs(path, **kind)]
    shutil.rmtree(directory)


def test_a_time_counts_wherever_in_the_record_it_stands(log_dir: Path) -> None:
    log = Log(log_dir)
    for members in (
        b',"a":1,"time":"2026-11-21T10:00:00.000000Z"',
        b',"details":{"time":"2026-11-21T10:00:00.000000Z"}',
        b',"details":{"time":"2026-11-21T10:00:00.000000Z"},"time":"2020-01-01T00:00:00.000000Z"',
        b',"time":"yesterday"',
    ):
        log._put(record.Body(b"x", members))
    assert seqs(log.active, since="2026-11-21", until="2026-11-21") == [2]
    assert seqs(log.active, until="2021-01-01") == [4]
    assert seqs(log.active, since="2027-01-01") == [1, 3, 5]


def test_a_bare_date_as_until_includes_its_day(log_dir: Path) -> None:
    log = Log(log_dir)
    for day, clock in ((20, "23:59:59"), (21, "00:00:00"), (21, "23:59:59.999999"), (22, "00:00:00")):
        log.add("x", time=f"2026-11-{day}T{clock}Z")
    assert seqs(log.active, since="2026-11-21", until="2026-11-21") == [3, 4]
    assert seqs(log.active, since="2026-11-21", until="2026-11-21T00:00:00Z", type="x") == []


# -- cursors


def test_a_cursor_is_a_seq_with_its_hash(three: Log) -> None:
    everything = list(query(three.active, control=True))
    for each in everything:
        found = seqs(three.active, after=(each["seq"], each["hash"]))
        assert found == list(range(each["seq"] + 1, 19))
    assert len(seqs(three.active, after=(0, "0" * 64))) == 18


def test_a_cursor_of_another_history_is_refused(three: Log) -> None:
    with pytest.raises(WrongLogError, match="not the one that was read"):
        seqs(three.active, after=(7, "f" * 64))
    with pytest.raises(WrongLogError, match="ends before"):
        seqs(three.active, after=(19, "f" * 64))


def test_a_cursor_at_the_edge_of_what_was_purged_still_holds(log_dir: Path) -> None:
    log = build(log_dir, segments=3)
    heads = {found["seq"]: found["hash"] for found in query(log.active, control=True)}
    log.purge(1)
    assert seqs(log.active, after=(6, heads[6]))[0] == 7
    with pytest.raises(WrongLogError):
        seqs(log.active, after=(6, heads[5]))
    with pytest.raises(QueryError, match="not here any more"):
        seqs(log.active, after=(5, heads[5]))


# -- what is no log


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.with_name("another.txt").touch(), "no such log"),
        (lambda path: path.write_bytes(b"hello\n"), "not a log"),
        (lambda path: path.write_bytes(b'{"a":1}\n'), "not a log of jsonl-audit"),
        (lambda path: path.write_bytes(gzip.compress(b"x")), "gzip"),
        (lambda path: path.write_bytes(bytes(10_000)), "not a log"),
        (lambda path: path.mkdir(), "no log"),
    ],
)
def test_what_is_no_log_is_named(log_dir: Path, make: Callable[[Path], Any], words: str) -> None:
    path = log_dir / "audit.jsonl"
    make(path)
    with pytest.raises(AuditError, match=words):
        list(query(path))
    with pytest.raises(AuditError, match=words):
        tail(path)


def test_an_empty_file_holds_no_records(log_dir: Path) -> None:
    (log_dir / "audit.jsonl").touch()
    assert seqs(log_dir / "audit.jsonl") == []
    assert tail(log_dir / "audit.jsonl") == []


def test_a_directory_that_holds_one_log_stands_for_it(three: Log) -> None:
    assert seqs(three.directory) == seqs(three.active)


@pytest.mark.parametrize("how", [{"limit": -1}, {"limit": 1.5}, {"offset": -1}, {"offset": True}, {"after": -1},
                                 {"after": "7"}, {"after": (7, "abc")}, {"limit": "7"}])  # fmt: skip
def test_positions_that_make_no_sense_are_refused_at_once(how: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        query("there-is-no-such-log.jsonl", **how)


# -- beside a writer


def test_reads_beside_a_writer_neither_miss_nor_repeat_nor_tear(log_dir: Path) -> None:
    path = log_dir / "audit.jsonl"
    chance = random.Random(3)
    with AuditLog(path, max_bytes=4000, fsync="never") as log, warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(150):
            if chance.random() < 0.3:
                log.append_many([{"type": "b"}, {"type": "b"}])
            else:
                log.append("x", details="y" * chance.randrange(500))
            found = query(path, control=True)
            begun = [next(found)["seq"]]
            log.append("x")
            last = log.last_seq
            begun += [each["seq"] for each in found]
            assert begun == list(range(1, len(begun) + 1))
            assert last - 3 <= len(begun) <= last
            assert seqs(path, reverse=True, limit=5) == list(range(last, max(last - 5, 0), -1))
