"""A line: its exact bytes, the order of its members, what a type and an id may be, and how long it may get."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
import threading
import uuid
from typing import Any

import orjson
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from jsonl_audit import ids, record, rules
from jsonl_audit.errors import EventError, EventTooLargeError, ReservedTypeError
from jsonl_audit.record import ZERO, Body

TS = "2026-11-21T10:11:12.123456Z"
ID = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"


def made(event: dict[Any, Any], seq: int = 42, **place: Any) -> bytes:
    """The line of an event, checked against every rule of the format."""
    line, own_id, own = record.line(seq, TS, record.encode(event), "ab" * 32, **place)
    assert rules.lawful(line[:-1]), rules.why(line[:-1])
    assert (record.decode(line)["id"], record.decode(line)["hash"]) == (own_id, own)
    return line


def members(event: dict[Any, Any]) -> dict[str, Any]:
    """What a line holds of an event."""
    found = record.decode(made(event))
    for name in ("seq", "ts", "id", "prev", "hash"):
        del found[name]
    return found


# -- the line


def test_a_line_is_these_bytes() -> None:
    event = {
        "type": "exec.completed",
        "id": ID,
        "actor": {"id": "ü1"},
        "n": [1, 2.5, None, True],
        "text": 'a"\\/\n\x00\x7f',
    }
    hashed = (
        '{"seq":42,"ts":"2026-11-21T10:11:12.123456Z","id":"0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",'
        '"type":"exec.completed","actor":{"id":"ü1"},"n":[1,2.5,null,true],"text":"a\\"\\\\/\\n\\u0000\x7f",'
        f'"prev":"{"ab" * 32}"'
    ).encode()
    own = blake3(hashed).hexdigest()
    assert made(event) == hashed + b',"hash":"%b"}\n' % own.encode()


def test_the_end_of_a_line_has_a_fixed_length() -> None:
    line = made({"type": "t", "x": "y" * 500}, batch=(2, 3), clock="2026-11-20T10:11:12.123456Z")
    assert blake3(line[:-76]).hexdigest().encode() == line[-67:-3]
    assert line[-141:-77] == b"ab" * 32
    assert (record.prev_of(line), record.hash_of(line)) == ("ab" * 32, line[-67:-3].decode())
    assert (record.seq_of(line), record.ts_of(line), record.type_of(line)) == (42, TS, "t")
    assert record.batch_of(line) == (2, 3)
    assert record.own_hash_right(line)
    assert not record.own_hash_right(line.replace(b"yyy", b"yzy"))


def test_the_members_stand_in_the_order_of_the_format() -> None:
    event = {"b": 1, "a": 2, "time": TS, "type": "t", "batch": [1, 2], "hash": "x"}
    line = made(event, batch=(1, 2), clock="2026-11-20T10:11:12.123456Z")
    names = list(orjson.loads(line))
    assert names == ["seq", "ts", "id", "type", "clock", "time", "b", "a", "details", "batch", "prev", "hash"]
    assert line.endswith(b',"batch":[1,2],"prev":"%b","hash":"%b"}\n' % (b"ab" * 32, line[-67:-3]))


@given(st.lists(st.text(), max_size=6, unique=True))
def test_the_callers_members_keep_their_order(names: list[str]) -> None:
    names = [name for name in names if name not in record.RESERVED | {"time", "timestamp"}]
    event: dict[Any, Any] = dict.fromkeys(names, 0)
    for at in range(len(names) + 1):
        with_type = {**dict.fromkeys(names[:at], 0), "type": "t", **dict.fromkeys(names[at:], 0)}
        assert list(members(with_type)) == ["type", *event]
    assert list(members(event)) == ["type", *event]


def test_a_batch_is_a_batch_only_in_its_place() -> None:
    line = made({"type": "t", "details": {"batch": [1, 2]}})
    assert record.batch_of(line) is None
    assert record.batch_of(made({"type": "t", "x": [1, 2]})) is None


@given(st.integers(1, 2**63 - 1))
def test_seq_is_found_by_position_whatever_its_length(seq: int) -> None:
    line = made({"type": "t"}, seq=seq)
    assert (record.seq_of(line), record.ts_of(line), record.type_of(line)) == (seq, TS, "t")


# -- the type


@pytest.mark.parametrize("name", ["a", "exec.completed", "A-b_c:d.9", "x" * 128, ".", "-", "audit", "auditor.x", "0"])
def test_a_type_name_is_taken(name: str) -> None:
    assert members({"type": name}) == {"type": name}
    assert members({"x": 1, "type": name}) == {"type": name, "x": 1}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 129,
        "a b",
        "ä",
        "a\n",
        "a/b",
        'a"',
        "a\\b",
        5,
        0,
        1.5,
        True,
        False,
        [],
        {},
        b"t",
        ("t",),
        object(),
        "\ud800",
    ],
    ids=lambda name: ascii(name)[:20],
)
def test_any_other_type_is_refused(name: Any) -> None:
    for event in ({"type": name}, {"x": 1, "type": name}, {"type": name, "x": {1: 2}}):
        with pytest.raises(EventError) as caught:
            record.encode(event)
        assert not isinstance(caught.value, ReservedTypeError)


def test_without_a_type_it_is_custom() -> None:
    events: list[dict[Any, Any]] = [{"x": 1}, {"type": None, "x": 1}, {"x": 1, "type": None}]
    for event in ({}, {"type": None}):
        assert members(event) == {"type": "custom"}
    for event in events:
        assert members(event) == {"type": "custom", "x": 1}
    assert members({"type": None, "x": {1}}) == {"type": "custom", "x": [1]}


@pytest.mark.parametrize("name", ["audit.segment", "audit.", "audit.x.y"])
def test_the_engines_own_types_are_refused(name: str) -> None:
    class Kind(enum.Enum):
        OURS = name

    for given_type in (name, Kind.OURS):
        for event in ({"type": given_type}, {1: 2, "type": given_type}):
            with pytest.raises(ReservedTypeError, match="audit"):
                record.encode(event)


def test_a_member_of_an_enumeration_may_be_the_type() -> None:
    class Kind(str, enum.Enum):
        DONE = "exec.done"

    class Labelled(str, enum.Enum):
        LONG = ("exec.started", "exec.the_label_is_much_longer")

        def __new__(cls, name: str, label: str) -> Labelled:
            member = str.__new__(cls, name)
            member._value_ = label
            return member

    class Plain(enum.Enum):
        DONE = "exec.done"

    class Same(str, enum.Enum):
        started = "started"

    for _ in range(2):  # also from the cache
        assert members({"type": Kind.DONE, "x": 1}) == {"type": "exec.done", "x": 1}
        assert members({"type": Plain.DONE, "x": 1}) == {"type": "exec.done", "x": 1}
        assert members({"type": Labelled.LONG, "x": 1}) == {"type": "exec.the_label_is_much_longer", "x": 1}
        assert members({"type": Same.started, "x": 1}) == {"type": "started", "x": 1}
        assert members({"type": "Kind.DONE", "x": 1}) == {"type": "Kind.DONE", "x": 1}
        assert members({"type": "started"}) == {"type": "started"}


def test_types_without_end_take_no_memory_without_end() -> None:
    for number in range(5000):
        record.encode({"type": f"made.up.{number}"})
    assert len(record._types) <= 1025
    assert members({"x": 1}) == {"type": "custom", "x": 1}


# -- the id


@pytest.mark.parametrize("given_id", [ID, ID.upper(), uuid.UUID(ID)], ids=["text", "upper case", "object"])
def test_an_id_that_is_a_uuid_is_the_records_own(given_id: Any) -> None:
    line = made({"type": "t", "id": given_id, "x": 1})
    assert orjson.loads(line)["id"] == ID
    assert members({"type": "t", "id": given_id, "x": 1}) == {"type": "t", "x": 1}
    assert orjson.loads(made({"id": given_id, "x": {1}}))["id"] == ID


@pytest.mark.parametrize(
    "given_id",
    [
        "order-17",
        "",
        ID + " ",
        ID + "0",
        ID.replace("-", ""),
        "{" + ID + "}",
        "urn:uuid:" + ID,
        17,
        None,
        [ID],
        {"id": ID},
    ],
)
def test_any_other_id_stands_under_details(given_id: Any) -> None:
    assert members({"type": "t", "id": given_id}) == {"type": "t", "details": {"id": given_id}}


def test_ids_are_uuids_of_version_7_that_grow() -> None:
    made_ids = [record.new_id().decode() for _ in range(20_000)]
    assert made_ids == sorted(set(made_ids))
    for text in made_ids[::500]:
        assert str(uuid.UUID(text)) == text
        assert (uuid.UUID(text).version, uuid.UUID(text).variant) == (7, uuid.RFC_4122)


def test_ids_grow_across_threads() -> None:
    made_ids: list[list[bytes]] = [[] for _ in range(8)]
    newest = [b""]
    lock = threading.Lock()

    def work(mine: list[bytes]) -> None:
        for _ in range(500):
            with lock:
                mine.append(record.new_id())
                assert mine[-1] > newest[0]
                newest[0] = mine[-1]
            mine.append(record.new_id())

    threads = [threading.Thread(target=work, args=(mine,)) for mine in made_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [one for mine in made_ids for one in mine]
    assert len(set(every)) == len(every) == 8000
    assert all(mine == sorted(mine) for mine in made_ids)


@pytest.mark.parametrize("ns", [0, -1, -(10**18), 1, 2**62])
def test_ids_grow_whatever_the_clock_says(ns: int) -> None:
    script = (
        "import time; real = time.time_ns; time.time_ns = lambda: NS\n"
        "from jsonl_audit import ids; made = [ids.new_id() for _ in range(10_000)]\n"
        "time.time_ns = real; made += [ids.new_id(), ids.new_id()]\n"
        "time.time_ns = lambda: 5; made.append(ids.new_id())\n"
        "import uuid; assert made == sorted(set(made)) and all(uuid.UUID(m.decode()).version == 7 for m in made)"
    ).replace("NS", str(ns))
    assert subprocess.run([sys.executable, "-c", script], stdin=subprocess.DEVNULL, cwd=os.getcwd()).returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_makes_ids_of_its_own() -> None:
    record.new_id()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        try:
            os.write(writable, b"\n".join(record.new_id() for _ in range(100)))
        finally:
            os._exit(0)
    ours = [record.new_id() for _ in range(100)]
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        theirs = pipe.read().split(b"\n")
    os.waitpid(child, 0)
    assert len(theirs) == 100
    assert theirs == sorted(theirs)
    assert not set(theirs) & set(ours)


def test_an_id_is_not_held_up_by_a_thread_that_is_gone_in_the_child() -> None:
    with ids._id_lock:  # as another thread of the parent holds it when it forks
        ids._after_fork()
        assert record.new_id()


# -- time


@pytest.mark.parametrize("name", ["time", "ts", "timestamp"])
@pytest.mark.parametrize("moment", [TS, "2026-11-21T11:11:12.123456+01:00", 1795255872.123456, 1795255872123.456])
def test_a_callers_time_becomes_time(name: str, moment: Any) -> None:
    assert members({"type": "t", name: moment, "x": 1}) == {"type": "t", "time": TS, "x": 1}
    assert record.encode({name: moment}).time == TS


def test_the_first_of_time_ts_and_timestamp_is_the_time_and_no_other_is_lost() -> None:
    one, two, three = "2026-11-21T10:11:12Z", "2026-11-21T10:11:13Z", "2026-11-21T10:11:14Z"
    first, second = one[:-1] + ".000000Z", two[:-1] + ".000000Z"
    assert members({"ts": two, "time": one}) == {"type": "custom", "time": first, "details": {"ts": two}}
    assert members({"timestamp": two, "ts": one}) == {"type": "custom", "time": first, "timestamp": two}
    assert members({"timestamp": two, "time": one}) == {"type": "custom", "time": first, "timestamp": two}
    assert members({"time": "late", "ts": two}) == {"type": "custom", "time": second, "details": {"time": "late"}}
    every = members({"timestamp": three, "ts": two, "time": one})
    assert every == {"type": "custom", "time": first, "timestamp": three, "details": {"ts": two}}


@pytest.mark.parametrize("moment", ["", "noon", "2026-11-21T10:11:12", 1e300, None, True, [1], {"a": 1}])
def test_what_is_no_time_stays_visible(moment: Any) -> None:
    assert members({"ts": moment}) == {"type": "custom", "details": {"ts": moment}}
    assert members({"time": moment}) == {"type": "custom", "details": {"time": moment}}
    assert members({"timestamp": moment}) == {"type": "custom", "timestamp": moment}


def test_nanoseconds_stay_visible() -> None:
    exact = "2026-11-21T10:11:12.123456789Z"
    assert members({"ts": exact}) == {"type": "custom", "time": TS, "details": {"ts": exact}}
    assert members({"timestamp": exact}) == {"type": "custom", "time": TS, "details": {"timestamp": exact}}


def test_a_record_has_a_time_of_its_own_only_at_the_top_level() -> None:
    assert record.own_time(made({"type": "t"})) is None
    assert record.own_time(made({"time": 1})) == "1970-01-01T00:00:01.000000Z"
    assert record.own_time(made({"details": {"time": "1970-01-01T00:00:01.000000Z"}})) is None


# -- reserved names


@pytest.mark.parametrize("name", sorted(record.RESERVED - {"type", "id", "ts"}))
@pytest.mark.parametrize("value", [None, 7, "x", [1, 2], {"a": 1}])
def test_a_reserved_name_moves_under_details(name: str, value: Any) -> None:
    assert members({name: value}) == {"type": "custom", "details": {name: value}}
    assert members({name: value, "details": {"own": 1}})["details"] == {"own": 1, name: value}
    assert members({name: value, "details": {name: "taken"}})["details"] == {name: "taken", f"{name}~2": value}
    assert members({name: value, "details": "text"})["details"] == {"details": "text", name: value}
    assert members({name: value, "x": {"y": b""}}) == {
        "type": "custom", "x": {"y": {"$bytes": ""}}, "details": {name: value}
    }  # fmt: skip


def test_what_moves_keeps_its_order() -> None:
    event = {"prev": 1, "hash": 2, "batch": 3, "seq": 4, "erased": 5, "salt": 6, "clock": 7, "id": 8}
    assert list(members(event)["details"]) == ["id", "prev", "hash", "batch", "seq", "erased", "salt", "clock"]


@given(
    st.dictionaries(st.sampled_from([*sorted(record.RESERVED), "time", "timestamp", "details", "x"]), st.integers(0, 9))
)
def test_no_value_under_a_reserved_name_is_lost(event: dict[str, int]) -> None:
    event.pop("type", None)
    found = members(event)
    kept = [value for name, value in found.items() if name not in ("type", "time", "details")]
    inner = found.get("details", [])
    kept += [inner] if isinstance(inner, int) else [*dict(inner).values()]
    seconds = [int(found["time"][18])] if "time" in found else []
    assert sorted(kept + seconds) == sorted(event.values())


# -- the limits


@pytest.mark.parametrize("batch", [None, (999_999_999, 999_999_999)])
def test_no_line_is_longer_than_its_limit_and_the_limit_can_be_used(batch: tuple[int, int] | None) -> None:
    limit = 2000
    without = record.line(2**63 - 1, TS, record.encode({"type": "t", "id": ID, "x": ""}), ZERO, clock=TS)[0]
    room = limit - len(without) - len(',"batch":[999999999,999999999]')
    longest = record.encode({"type": "t", "id": ID, "x": "y" * room}, limit)
    with pytest.raises(EventTooLargeError, match="2001 bytes, the limit is 2000") as caught:
        record.encode({"type": "t", "id": ID, "x": "y" * (room + 1)}, limit)
    assert (caught.value.expected, caught.value.actual) == (limit, limit + 1)
    line, _, _ = record.line(2**63 - 1, TS, longest, ZERO, batch=batch, clock=TS)
    assert limit - 30 <= len(line) <= limit


def test_a_line_is_at_most_32_kib_unless_told_otherwise() -> None:
    with pytest.raises(EventTooLargeError):
        record.encode({"x": "y" * 32 * 1024})
    body = record.encode({"x": "y" * 2**20}, 2 * 2**20)
    assert len(record.line(1, TS, body, ZERO)[0]) > 2**20


def test_an_event_too_large_in_odd_values_alone_is_refused_too() -> None:
    for value in (b"x" * 40_000, [float("nan")] * 5000, dict.fromkeys(range(9000), 1), {"\ud800" * 20_000}):
        with pytest.raises(EventTooLargeError):
            record.encode({"v": value})


def test_control_records_have_details_and_no_limit() -> None:
    body = record.control("audit.lost", {"count": 2, "why": "x" * 100_000})
    assert body == Body(b"audit.lost", b',"details":{"count":2,"why":"' + b"x" * 100_000 + b'"}')
