"""Any bytes as a segment: the walk raises nothing, sees the same at every block size, and digests what it says."""

from __future__ import annotations

from blake3 import blake3
from driver import main

from jsonl_audit.record import ZERO, batch_of, control, encode, line
from jsonl_audit.scan import Walk
from jsonl_audit.segment import header_details


def seeds() -> list[bytes]:
    """A segment with single records and batches, and parts of it."""
    head, text = ZERO, b""
    log = "0199c0de-0000-7000-8000-00000000a0d1"
    bodies = [(control("audit.segment", header_details(log, 1, None, writer="fuzz")), None)]
    bodies += [
        (encode({"type": "fuzz.one", "n": number, "text": 'é\n"x"', "list": [[1.5, None]]}), None)
        for number in range(3)
    ]
    bodies += [(encode({"type": "fuzz.batch", "n": number}), (number, 3)) for number in (1, 2, 3)]
    bodies += [(encode({"time": 1.5}), None)]
    for seq, (body, batch) in enumerate(bodies, 1):
        made, _, head = line(seq, f"2026-11-21T10:11:12.{seq:06d}Z", body, head, batch)
        assert batch_of(made) == batch
        text += made
    return [text, text[: len(text) // 2], text + bytes(700), b"", b"{}\n", text[:512] + bytes(512) + text[1024:]]


def walked(data: bytes, size: int, *, strict: bool) -> tuple[object, ...]:
    walk = Walk(strict=strict, digest=True, times=True)
    for start in range(0, len(data), size):
        walk.feed(data[start : start + size])
    walk.finish()
    assert 0 <= walk.end <= len(data) == walk.pos
    assert walk.blake3() == blake3(data[: walk.end]).hexdigest()
    assert walk.torn_blake3() == blake3(data[walk.end :]).hexdigest()
    places = [(place.kind, place.offset, place.bytes, place.line, place.seq) for place in walk.damage]
    return walk.end, walk.last, walk.records, walk.torn, walk.torn_at, walk.void_lines, walk.time, places, walk.damaged


def target(data: bytes) -> None:
    for strict in (True, False):
        whole = walked(data, 1 << 20, strict=strict)
        for size in (1, 3, 511, 4096):
            if size == 1 and len(data) > 6000:
                continue
            assert walked(data, size, strict=strict) == whole, (size, strict)


if __name__ == "__main__":
    main(target, seeds())
