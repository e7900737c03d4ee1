"""Any Python value as an event: it goes in, nothing is raised but what is documented, and its line keeps every rule."""

from __future__ import annotations

import datetime
import decimal
import pathlib
import uuid

from driver import main

from jsonl_audit import rules
from jsonl_audit.errors import EventError
from jsonl_audit.record import HARD_LIMIT, ZERO, decode, encode, line, own_hash_right

NAMES = ["type", "id", "ts", "time", "timestamp", "seq", "hash", "prev", "batch", "clock", "details", "", "a", "\ud800"]


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Bytes:
    """Choices drawn from bytes; zero when they are used up."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def draw(self, below: int) -> int:
        value = self.data[self.at] if self.at < len(self.data) else 0
        self.at += 1
        return value % below

    def value(self, level: int = 0) -> object:
        kind = self.draw(24 if level < 6 and self.at < len(self.data) else 16)
        simple = [
            None, True, self.draw(256) - 128, 2**63 + self.draw(3) - 1, 2**64 + self.draw(3) - 1,
            -(2**63) - self.draw(2),
            float("nan"), float("inf"), 1e300 * (self.draw(3) - 1), "x" * self.draw(200), chr(0xD800 + self.draw(4)),
            bytes(self.data[:8]), decimal.Decimal("1.10"), uuid.UUID(int=5), pathlib.Path("é"), Unshowable(),
        ]  # fmt: skip
        if kind < len(simple):
            return simple[kind]
        if kind < 20:
            return {self.name(): self.value(level + 1) for _ in range(self.draw(5))}
        if kind < 22:
            return [self.value(level + 1) for _ in range(self.draw(5))]
        if kind == 22:
            return datetime.datetime(2026, 1, 1 + self.draw(28), tzinfo=datetime.timezone.utc)
        return self.text()

    def name(self) -> object:
        kind = self.draw(20)
        return NAMES[kind] if kind < len(NAMES) else [1, None, True, 2.5, b"k", (1,)][kind - len(NAMES)]

    def text(self) -> str:
        size = self.draw(40)
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", "surrogateescape")


def target(data: bytes) -> None:
    source = Bytes(data)
    event = {source.name(): source.value() for _ in range(source.draw(9))}
    try:
        body = encode(event, HARD_LIMIT)
    except EventError:
        return  # a type of its own kind
    text, own_id, own = line(1, "2026-11-21T10:11:12.123456Z", body, ZERO)
    assert own_hash_right(text), text
    assert rules.lawful(text[:-1]), (rules.why(text[:-1]), text)
    found = decode(text)
    assert list(found)[:4] == ["seq", "ts", "id", "type"]
    assert list(found)[-2:] == ["prev", "hash"]
    assert (found["id"], found["hash"]) == (own_id, own)


if __name__ == "__main__":
    main(target, [bytes(range(256)), b"\x10\x05" * 40, b"", b"\x03\x14\x02\x05abc\xff\xfe" * 9])
