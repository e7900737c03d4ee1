"""The walk over a segment: what it finds does not depend on how the bytes arrive, nor on what it takes together."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from logs import LOG, Log, rehashed

from jsonl_audit import instants, record, rules, scan
from jsonl_audit.scan import Link, Walk, hole_in
from jsonl_audit.segment import header_details

ACTORS = [{"id": "u1"}, {"id": "u2", "ip": "10.0.0.1"}, None]


def lines_of(count: int, *, batches: bool = True, seed: int = 0) -> list[bytes]:
    """A segment's lines, with batches, records with a time of their own, clamped ones and a purge among them."""
    chance = random.Random(seed)
    made, prev, us, seq = [], record.ZERO, 1_800_000_000 * 10**6, 0
    left = size = 0

    def put(body: record.Body, **how: Any) -> None:
        nonlocal prev, seq
        seq += 1
        line, _, prev = record.line(seq, instants.text(us), body, prev, **how)
        made.append(line)

    put(record.control("audit.segment", header_details(LOG, 1, None, writer="tests/1")))
    while len(made) < count or left:
        us += chance.choice((0, 1, 1_000_000))
        event: dict[str, Any] = {"type": chance.choice(("a", "auth.login", "x:y-z_1"))}
        if chance.random() < 0.8:
            event["actor"] = chance.choice(ACTORS)
        if chance.random() < 0.2:
            event["time"] = "2026-11-21T10:11:12Z"
        if chance.random() < 0.2:
            event["text"] = "naïve \"quote\" \\ \u0001 \U0001f600"
        if left:
            put(record.encode(event), batch=(size - left + 1, size))
            left -= 1
        elif batches and chance.random() < 0.1:
            left = size = chance.randint(2, 40)
        elif chance.random() < 0.03:
            put(record.control("audit.purged", {"through": {"segment": 1, "last_seq": 1, "head": prev}}))
        else:
            put(record.encode(event), clock=instants.text(5) if chance.random() < 0.1 else None)
    return made


def walked(data: bytes, size: int | None = None, **how: Any) -> Walk:
    walk = Walk(**{"digest": True, "times": True, **how})
    for at in range(0, len(data), size or len(data) or 1):
        walk.feed(data[at : at + (size or len(data))])
    return walk.finish()


def told(walk: Walk) -> dict[str, Any]:
    """All that a walk has to say."""
    names = [name for name in vars(walk) if not name.startswith("_")]
    return {**{name: getattr(walk, name) for name in names}, "blake3": walk.blake3(), "torn_blake3": walk.torn_blake3()}


WHOLE = b"".join(lines_of(150))


@st.composite
def segments(draw: st.DrawFn) -> bytes:
    """A segment that something may have happened to."""
    lines = lines_of(draw(st.integers(1, 60)), seed=draw(st.integers(0, 5)))
    data = b"".join(lines)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["flip", "cut", "hole", "junk", "lines", "nul"])):
            case "flip" if at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
            case "cut":
                data = data[:at]
            case "hole":
                begin, end = at // 512 * 512, min(len(data), (at // 512 + draw(st.integers(1, 3))) * 512)
                data = data[:begin] + bytes(end - begin) + data[end:]
            case "junk":
                data = data[:at] + draw(st.binary(max_size=40)) + data[at:]
            case "nul":
                data = data[:at] + bytes(draw(st.integers(1, 600))) + data[at:]
            case "lines":
                pieces = data.splitlines(keepends=True)
                first = draw(st.integers(0, len(pieces)))
                last = draw(st.integers(first, min(len(pieces), first + 3)))
                data = b"".join(pieces[:first] + pieces[last:] + draw(st.sampled_from(([], pieces[first:last]))))
    return data


@pytest.mark.exhaustive
@given(segments(), st.integers(1, 700))
def test_the_size_of_the_blocks_changes_nothing(data: bytes, size: int) -> None:
    assert told(walked(data, size)) == told(walked(data))


@given(segments(), st.booleans())
def test_lines_taken_together_are_judged_as_one_by_one(data: bytes, strict: bool) -> None:
    together = told(walked(data, strict=strict))
    singly = Walk(strict=strict, digest=True, times=True)
    monkey = {"_ordinary": lambda _: False}
    vars(singly).update(monkey)
    singly.feed(data)
    assert together == told(singly.finish())


@given(segments())
def test_the_digests_are_those_of_the_bytes_on_either_side_of_the_end(data: bytes) -> None:
    walk = walked(data, 300)
    assert walk.blake3() == blake3(data[: walk.end]).hexdigest()
    assert walk.torn_blake3() == blake3(data[walk.end :]).hexdigest()


@given(segments(), st.integers(0, 60))
def test_a_walk_over_the_rest_comes_to_the_same_end(data: bytes, line: int) -> None:
    whole = walked(data)
    pieces = data.splitlines(keepends=True)[:line]
    start = sum(map(len, pieces))
    before = walked(b"".join(pieces))
    if before.damage or before.torn or before.last is None or whole.torn_at < start or before.end != start:
        return  # only where the first part is whole can the second begin behind it
    rest = walked(data[start:], link=before.last, offset=start, line=before.line)
    assert (rest.end, rest.last, rest.torn, rest.torn_at) == (whole.end, whole.last, whole.torn, whole.torn_at)
    assert rest.damage == whole.damage
    assert before.records + rest.records == whole.records


def test_a_whole_segment_is_whole() -> None:
    walk = walked(WHOLE, 1000)
    assert (walk.damage, walk.torn, walk.line) == ([], None, WHOLE.count(b"\n"))
    assert walk.header is not None
    assert walk.floor is not None
    assert walk.time is not None
    assert walk.time[0] == "2026-11-21T10:11:12.000000Z"
    assert walk.clamped == sum(b'"clock":' in line for line in WHOLE.splitlines())


@pytest.mark.parametrize("size", [4096, 1 << 20, None])
def test_a_line_longer_than_any_record_is_named_and_passed_over(size: int | None) -> None:
    lines = lines_of(4, batches=False)
    data = lines[0] + b"x" * (record.HARD_LIMIT + 5) + b"\n" + b"".join(lines[1:])
    walk = walked(data, size)
    assert [(place.kind, place.offset, place.bytes) for place in walk.damage] == [
        ("malformed-line", len(lines[0]), record.HARD_LIMIT + 6)
    ]
    assert walk.records == 4


@pytest.mark.parametrize("size", [5000, 1 << 20, None])
def test_a_long_line_that_begins_with_a_whole_record_is_no_record(size: int | None) -> None:
    lines = lines_of(3, batches=False)
    padded, _, _ = record.line(2, instants.text(10**16), record.Body(b"a", b',"x":"%b"' % (b"y" * 3842)), "0" * 64)
    assert len(padded) == 4097  # what is kept of a long line ends where this one's LF stands
    data = lines[0] + padded[:-1] + b"x" * record.HARD_LIMIT + b"\n"
    assert [place.kind for place in walked(data, size).damage] == ["malformed-line"]


def test_the_longest_line_that_a_record_may_have_is_one() -> None:
    head = lines_of(1)[0]
    first = walked(head)
    assert first.last is not None
    for over in (0, 1):
        frame = len(record.line(2, first.last.ts, record.Body(b"a", b',"x":""'), first.last.hash)[0])
        body = record.Body(b"a", b',"x":"%b"' % (b"y" * (record.HARD_LIMIT - frame + over)))
        line = record.line(2, first.last.ts, body, first.last.hash)[0]
        assert len(line) == record.HARD_LIMIT + over
        assert bool(walked(head + line, 1 << 20).damage) == bool(over)


def test_a_hole_takes_all_behind_it_along() -> None:
    data = bytearray(b"".join(lines_of(30, batches=False)))
    data[1024:2048] = bytes(1024)
    walk = walked(bytes(data))
    assert (walk.torn, walk.damage) == ("hole", [])
    assert walk.end <= 1024
    assert walk.void_last == 30
    assert walk.void_lines > 0


def test_nul_bytes_that_no_lost_block_leaves_are_damage() -> None:
    data = bytearray(b"".join(lines_of(30, batches=False)))
    data[1100:1200] = bytes(100)
    walk = walked(bytes(data))
    assert (walk.torn, [place.kind for place in walk.damage]) == (None, ["malformed-line"])


@given(st.integers(0, 1500), st.integers(0, 600), st.integers(0, 600), st.integers(1, 7))
def test_a_hole_is_found_however_its_line_arrives(start: int, before: int, nuls: int, size: int) -> None:
    piece = b"x" * before + bytes(nuls) + b"y" * 5
    seen = scan.Nuls(start)
    for at in range(0, len(piece), size):
        seen.feed(piece[at : at + size])
    begin, end = start + before, start + before + nuls
    hole = nuls > 0 and (before == 0 or begin % 512 == 0) and end % 512 == 0
    assert seen.hole() == hole == hole_in(piece, start)


# -- batches


def in_batches(*counts: tuple[int, int] | None) -> list[bytes]:
    """A header and linked records with these batch members."""
    lines = lines_of(1)
    prev = lines[0][-67:-3].decode()
    for seq, batch in enumerate(counts, 2):
        line, _, prev = record.line(seq, instants.text(19 * 10**14), record.Body(b"a", b""), prev, batch=batch)
        lines.append(line)
    return lines


@pytest.mark.parametrize(
    ("counts", "records", "torn", "damage"),
    [
        ([(1, 3), (2, 3), (3, 3)], 4, None, 0),
        ([(1, 3), (2, 3)], 1, "batch", 0),
        ([None, (1, 2)], 2, "batch", 0),
        ([(1, 2), (2, 2), (1, 2), (2, 2), None], 6, None, 0),
        ([(2, 3), (3, 3)], 3, None, 2),
        ([(1, 3), (2, 3), None], 4, None, 1),
        ([(1, 3), (1, 3), (2, 3), (3, 3)], 5, None, 1),
        ([(1, 3), (2, 4), (3, 3)], 4, None, 3),
        ([(1, 1)], 2, None, 1),
        ([(5, 3)], 2, None, 1),
        ([(1, 3), (2, 3), (1, 2)], 1, "batch", 1),
    ],
)
def test_a_batch_counts_whole_or_not_at_all(
    counts: list[tuple[int, int] | None], records: int, torn: str | None, damage: int
) -> None:
    walk = walked(b"".join(in_batches(*counts)))
    assert (walk.records, walk.torn, walk.damaged) == (records, torn, damage)
    assert {place.kind for place in walk.damage} <= {"malformed-line"}


def test_a_damaged_line_in_a_batch_is_named_once_and_the_batch_is_not_torn() -> None:
    for damaged in (1, 2, 3):
        lines = in_batches((1, 3), (2, 3), (3, 3), None)
        lines[damaged] = lines[damaged].replace(b'"type":"a"', b'"type":"b"')
        walk = walked(b"".join(lines))
        assert [(place.kind, place.line) for place in walk.damage] == [("record-modified", damaged + 1)]
        walk = walked(b"".join(lines[:-1]))
        assert walk.torn is None


def test_an_unfinished_batch_that_does_not_begin_with_its_first_record_is_not_torn() -> None:
    lines = in_batches((1, 4), (2, 4), (3, 4))
    del lines[1]
    walk = walked(b"".join(lines))
    assert (walk.torn, [place.kind for place in walk.damage]) == (None, ["records-missing"])


def test_a_purge_record_in_an_unfinished_batch_says_nothing() -> None:
    lines = in_batches((1, 3))
    floor = {"through": {"segment": 1, "last_seq": 1, "head": "0" * 64}}
    line, _, _ = record.line(
        3, instants.text(19 * 10**14), record.control("audit.purged", floor), lines[-1][-67:-3].decode(), batch=(2, 3)
    )
    assert walked(b"".join([*lines, line])).floor is None


def test_a_malformed_control_record_with_a_right_hash_is_named_not_stumbled_over() -> None:
    lines = lines_of(1)
    body = record.Body(b"audit.purged", b',"details":{"through":NaN}')
    line, _, _ = record.line(2, instants.text(19 * 10**14), body, lines[0][-67:-3].decode())
    for strict in (True, False):
        walk = Walk(strict=strict)
        walk.feed(lines[0] + line)
        assert [place.kind for place in walk.finish().damage] == ["malformed-line"] * strict


# -- the rules of a line


def a_line(members: bytes, *, type_: bytes = b"a", ts: str = "2027-01-15T08:00:00.000000Z") -> bytes:
    return record.line(2, ts, record.Body(type_, members), "0" * 64)[0]


def nested(depth: int, kind: str = "list") -> bytes:
    """Members that make a line nested exactly `depth` deep."""
    if kind == "list":
        return b',"x":' + b"[" * (depth - 1) + b"]" * (depth - 1)
    if kind == "dict":
        return b',"x":' + b'{"":' * (depth - 2) + b"{}" + b"}" * (depth - 2)
    return b',"x":' + b'{"":[' * ((depth - 1) // 2) + b"0" + b"]}" * ((depth - 1) // 2)


LAWFUL = [
    b"",
    b',"x":1',
    b',"x":18446744073709551615,"y":-9223372036854775808',
    b',"x":-0,"y":1e5,"z":0.10',
    b',"x":"\\u0001\\n\\"","y":"\x7f\xc3\xa9"',
    b',"x":{"seq":1,"hash":2},"y":[{"a":1},{"a":1}]',
    b',"time":"2027-01-15T08:00:00.000000Z"',
    b',"clock":"2027-01-15T08:00:00.000000Z"',
    nested(128),
    nested(128, "dict"),
    nested(127, "both"),
]
UNLAWFUL = [
    b",",
    b',"x":1,',
    b',,"x":1',
    b',"x": 1',
    b', "x":1',
    b',"x":1 ',
    b',"x":NaN',
    b',"x":1e999',
    b',"x":18446744073709551616',
    b',"x":-9223372036854775809',
    b',"x":' + b"9" * 5000,
    b',"x":1,"x":2',
    b',"x":{"a":1,"b":{"c":1,"c":1}}',
    b',"seq":1',
    b',"prev":"0"',
    b',"hash":"0"',
    b',"type":"a"',
    b',"x":"\\u007f"',
    b',"x":"\\/"',
    b',"x":"\\u000a"',
    b',"x":"\\u001F"',
    b',"x":"\\ud800"',
    b',"x":"\xed\xa0\x80"',
    b',"x":"\xff"',
    b',"x":"\x01"',
    b',"x":"\\u0061"',
    b',"\\u0078":1',
    b',"x":01',
    b',"x":[1',
    b',"x":{"a":1}}',
    b',"x":1},{"y":1',
    b',"time":"2027-02-30T08:00:00.000000Z"',
    b',"time":1',
    b',"time":null',
    nested(129),
    nested(129, "dict"),
    nested(129, "both"),
    nested(253),
    nested(600),
    nested(3000),
]


@pytest.mark.parametrize("members", LAWFUL, ids=lambda members: repr(members[:40]))
def test_a_line_that_keeps_the_rules_is_lawful(members: bytes) -> None:
    line = a_line(members)
    assert rules.lawful(line[:-1])
    if members != b',"x":-0,"y":1e5,"z":0.10':  # what the serialiser would write otherwise is looked at singly
        names = rules.Together()([a_line(b',"x":1'), line, a_line(b"")], 15)
        assert names == {"x", *orjson.loads(b"{%b}" % members[1:])}


@pytest.mark.parametrize("members", UNLAWFUL, ids=lambda members: repr(members[:40]))
def test_a_line_that_breaks_a_rule_is_not_lawful(members: bytes) -> None:
    line = a_line(members)
    assert not rules.lawful(line[:-1])
    assert rules.why(line[:-1])
    assert rules.Together()([a_line(b',"x":1'), line, a_line(b"")], 15) is None


@pytest.mark.parametrize("strict", [False, True])
def test_a_type_in_another_form_is_named_whether_its_line_comes_alone_or_among_others(strict: bool) -> None:
    head, text = record.ZERO, b""
    for seq, type_ in enumerate((b"a", b"\\u0061", b"a b", b"a"), 1):
        line, _, head = record.line(seq, "2027-01-15T08:00:00.000000Z", record.Body(type_, b""), head)
        text += line
    for size in (None, 1):
        assert [place.seq for place in walked(text, size, strict=strict).damage] == [2, 3]


def test_where_the_serialisers_limit_is_not_clear_brackets_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_serialiser_limit", lambda: 0)
    together = rules.Together()
    for kind in ("list", "dict"):
        assert together([a_line(nested(128, kind))], 15) == {"x"}
        assert together([a_line(nested(129, kind))], 15) is None
    assert together([a_line(b',"x":"%b"' % (b"[" * 200))], 15) is None  # one by one it is lawful


@pytest.mark.parametrize(
    "line",
    [
        a_line(b"", type_=b"a b"),
        a_line(b"", type_=b"\\u0061"),
        a_line(b"", type_=b""),
        a_line(b"", type_=b"a" * 129),
        a_line(b"", ts="2027-02-30T08:00:00.000000Z"),
        a_line(b"", ts="2027-01-15T08:00:60.000000Z"),
        a_line(b"", ts="2027-01-15t08:00:00.000000Z"),
        a_line(b"").replace(b'"id":"0', b'"id":"G', 1),
        a_line(b"").replace(b'"type"', b'"tyqe"', 1),
    ],
)
def test_what_every_line_begins_with_has_one_form(line: bytes) -> None:
    line = rehashed(line)
    assert not rules.lawful(line[:-1])
    assert rules.why(line[:-1])
    assert rules.Together()([line], 15) is None


def test_pieces_that_only_fit_each_other_are_not_lawful() -> None:
    # Two lines that are JSON only one behind the other, in any way that a joined text could hide.
    pairs = [
        (b',"x":[{"a":1', b',"y":1}],"z":2'),
        (b',"x":"', b',"y":"'),
        (b',"x":[1', b',"y":2]'),
        (b',"x":1},{"y":2', b""),
    ]
    for one, two in pairs:
        assert rules.Together()([a_line(one), a_line(two)], 15) is None


def test_the_bytes_of_prev_are_hex_even_where_nothing_is_before() -> None:
    line = record.line(1, "2027-01-15T08:00:00.000000Z", record.Body(b"a", b""), "g" * 64)[0]
    assert not rules.lawful(line[:-1])
    assert "prev" in rules.why(line[:-1])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abxyz", max_size=2), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.exhaustive
@given(st.lists(st.dictionaries(st.text("abxyz", max_size=2), json_values, max_size=4), min_size=1, max_size=8))
def test_what_the_serialiser_writes_is_lawful(events: list[dict[str, Any]]) -> None:
    lines = [a_line(b"," + orjson.dumps(event)[1:-1] if event else b"") for event in events]
    assert rules.Together()(lines, 15) == {name for event in events for name in event}
    assert all(rules.lawful(line[:-1]) for line in lines)


@given(st.lists(st.sampled_from(LAWFUL + UNLAWFUL), min_size=1, max_size=6), st.data())
def test_together_never_accepts_what_is_not_lawful_alone(members: list[bytes], data: st.DataObject) -> None:
    lines = [a_line(inner) for inner in members]
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number][:-150]
    at = data.draw(st.integers(60, len(line)))
    broken = line[:at] + data.draw(st.sampled_from([b"", b" ", b'"', b"}", b"{", b"]", b"[", b",", b"\\"])) + line[at:]
    lines[number] = broken + lines[number][-150:]
    if rules.Together()(lines, 15) is not None:
        assert all(rules.lawful(line[:-1]) for line in lines)


# -- links


def test_a_missing_doubled_or_moved_line_is_named_where_it_is() -> None:
    lines = lines_of(40, batches=False)
    for at in (1, 2, 20, 38):
        missing = walked(b"".join(lines[:at] + lines[at + 1 :])).damage
        assert [(place.kind, place.seq, place.line) for place in missing] == [("records-missing", at + 2, at + 1)]
        doubled = walked(b"".join(lines[: at + 1] + lines[at:])).damage
        assert [(place.kind, place.seq, place.line) for place in doubled] == [("chain-broken", at + 1, at + 2)]
        swapped = walked(b"".join([*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])).damage
        assert {place.kind for place in swapped} >= {"chain-broken", "records-missing"}


def test_the_clock_steps_back_only_where_it_does() -> None:
    lines = lines_of(1)
    prev = lines[0][-67:-3].decode()
    for seq, second in ((2, 5), (3, 9), (4, 6), (5, 7)):
        body = record.Body(b"a", b"")
        line, _, prev = record.line(seq, instants.text(19 * 10**14 + second * 10**6), body, prev)
        lines.append(line)
    assert [(place.kind, place.seq) for place in walked(b"".join(lines)).damage] == [("clock-backwards", 4)]


def test_more_damage_than_can_be_kept_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "KEPT_DAMAGE", 10)
    walk = walked(b"".join(lines_of(3)) + b"junk\n" * 50)
    assert (len(walk.damage), walk.damaged) == (10, 50)


def test_a_walk_goes_on_from_a_link(tmp_path: Path) -> None:
    log = Log(tmp_path).fill(5)
    lines = log.lines(1)
    link = Link(3, lines[2][-67:-3].decode(), record.ts_of(lines[2]))
    start = sum(map(len, lines[:3]))
    walk = walked(b"".join(lines[3:]), link=link, offset=start, line=3)
    assert (walk.damage, walk.end, walk.last.seq if walk.last else 0) == ([], len(log.read(1)), 6)
