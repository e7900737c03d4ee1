"""The files of a log as one input: to bytes and back, and changes to them that mend the hashes they break.

An input is a byte of options and then parts: what a file is (its role), its length in three bytes, its content. Any
bytes are some files. Compressed files are packed here, so that what is in them can be changed; a mark is completed here
(the inode, the boot, the sum), so that it is believed.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from blake3 import blake3
from driver import bytes_changed

from jsonl_audit import record, storage
from jsonl_audit.record import ZERO, control, encode, line
from jsonl_audit.segment import header_details

__all__ = ["Parts", "changed", "lay_out", "pack", "parts_of", "seeds"]

Parts = list[tuple[int, bytes]]
NAME = "audit.jsonl"
ACTIVE, NEXT, LOCK, MARK, SEALED, PACKED, GZ, ZST = 0, 1, 2, 3, 4, 8, 12, 16
ROLES = 20
STAMPS = ("20231114T221320006000Z", "20231114T221320012000Z", "20261121T101112000000Z", "99991231T235959999999Z")
LOG = "0199c0de-0000-7000-8000-00000000a0d1"
VECTORS = Path(__file__).resolve().parent.parent.parent / "shared" / "vectors"


def pack(options: int, parts: Iterable[tuple[int, bytes]]) -> bytes:
    """The input that these files are."""
    return bytes([options]) + b"".join(
        bytes([role]) + len(content).to_bytes(3, "little") + content for role, content in parts
    )


def parts_of(data: bytes) -> tuple[int, Parts]:
    """The options and the files of an input; of several with one role, the last."""
    at, parts = 1, {}
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "little")
        parts[data[at] % ROLES] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return data[0] if data else 0, sorted(parts.items())


def lay_out(parts: Parts, folder: Path) -> Path:
    """Writes the files; the path of the log that they may be."""
    path = folder / NAME
    mark = None
    for role, content in parts:
        if role == MARK:
            mark = content
        elif role < SEALED:
            (folder / (NAME, f"{NAME}.next", f"{NAME}.lock")[role]).write_bytes(content)
        else:
            packed = gzip.compress(content, 1, mtime=0) if role < GZ and role >= PACKED else content
            kind = ("", ".gz", ".gz", ".zst")[role // 4 - 1]
            (folder / f"audit.{STAMPS[role % 4]}.jsonl{kind}").write_bytes(packed)
    if mark is not None:
        (folder / f"{NAME}.lock").write_bytes(_believable(mark, path))
    return path


def _believable(mark: bytes, path: Path) -> bytes:
    """A mark with what only the moment knows, under its sum."""
    try:
        members = json.loads(mark)
        if members.get("inode") is None:
            found = path.stat()
            members["inode"] = [found.st_dev, found.st_ino]
        if members.get("boot") == "this":
            members["boot"] = storage.boot_id()
        mark = json.dumps(members, separators=(",", ":")).encode()
    except (ValueError, AttributeError, OSError, RecursionError):
        pass  # some bytes
    return (b'%b,"check":"%b"}' % (mark[:-1], blake3(mark).hexdigest().encode())).ljust(1023) + b"\n"


# -- what is mutated


def seeds() -> list[bytes]:
    """Logs made here in every state, and the published vectors where they are."""
    made = [pack(number, parts) for number, parts in enumerate(_made())]
    if VECTORS.is_dir():
        made += [
            pack(number, _found(folder)) for number, folder in enumerate(sorted(VECTORS.iterdir())) if folder.is_dir()
        ]
    return made


def _found(folder: Path) -> Parts:
    """The files of a folder under the names that there are here."""
    parts: Parts = []
    sealed = 0
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        if path.name == NAME:
            parts.append((ACTIVE, content))
        elif path.name.endswith(".next"):
            parts.append((NEXT, content))
        elif path.name.endswith(".lock"):
            parts.append((LOCK, content))
        elif sealed < 4:
            packed = path.suffix == ".gz"
            role = ZST if path.suffix == ".zst" else PACKED if packed else SEALED
            parts.append((role + sealed, gzip.decompress(content) if packed else content))
            sealed += 1
    return parts


def _made() -> Iterator[Parts]:
    one, two, three = _segments(3)
    yield [(ACTIVE, one)]
    yield [(SEALED, one), (SEALED + 1, two), (ACTIVE, three)]
    yield [(PACKED, one), (SEALED + 1, two), (ACTIVE, three), (MARK, _mark(three, 3))]
    yield [(SEALED, one), (PACKED + 1, two), (NEXT, three)]
    yield [(SEALED, one), (SEALED + 1, two), (ACTIVE, three[:-100]), (MARK, _mark(three[:-100], 3))]
    yield [(ACTIVE, one), (MARK, _mark(one, 1, failed=True))]
    yield [(ACTIVE, one[: len(one) // 2] + bytes(700) + one[-600:])]
    yield [(GZ, gzip.compress(one, mtime=0)), (ACTIVE, two), (LOCK, b"")]
    yield [(SEALED, one), (SEALED + 1, two)]
    yield [(ACTIVE, one + b'{"type":"half')]
    yield [(NEXT, one.splitlines(True)[0])]
    yield [(ACTIVE, b""), (LOCK, bytes(2048))]


def _segments(count: int) -> list[bytes]:
    """Segments with single records and batches, times of their own, a change of settings and a loss."""
    seq, head, made = 0, ZERO, []
    previous = None
    for number in range(1, count + 1):
        details = header_details(LOG, number, None, writer="fuzz", settings={"fsync": "never"})
        details["previous"] = previous
        bodies = [(control("audit.segment", details), None)]
        bodies += [
            (encode({"type": "fuzz.one", "n": n, "text": 'é\n"x"', "list": [[1.5, None]]}), None) for n in (1, 2)
        ]
        bodies += [(encode({"type": "fuzz.batch", "n": n}), (n, 3)) for n in (1, 2, 3)]
        bodies += [(encode({"time": 1.5, "actor": {"id": "u1"}, "details": {"seq": 1, "tags": ["a", "b"]}}), None)]
        bodies += [(control("audit.lost", {"why": "dropped", "count": 2}), None)]
        text, first = b"", seq + 1
        for body, batch in bodies:
            seq += 1
            body = body._replace(id=b"0199c0de-0000-7000-8000-%012d" % seq)
            member, _, head = line(seq, f"2026-11-21T10:11:12.{seq:06d}Z", body, head, batch)
            text += member
        made.append(text)
        previous = {
            "name": f"audit.{STAMPS[number - 1]}.jsonl", "first_seq": first, "last_seq": seq, "bytes": len(text),
            "blake3": blake3(text).hexdigest(), "time": ["1970-01-01T00:00:01.500000Z", record.ts_of(member)],
        }  # fmt: skip
    return made


def _mark(text: bytes, segment: int, *, failed: bool = False) -> bytes:
    end = text.rfind(b"\n") + 1
    half = text.rfind(b"\n", 0, end - 1) + 1
    synced = half if failed else end
    members = {
        "boot": "this", "log": LOG, "segment": segment, "inode": None, "synced": synced,
        "hash": text[synced - 67 : synced - 3].decode("ascii", "replace"), "purged": None, "failed": failed,
        "acknowledged": record.seq_of(text[half:]) if failed else 0, "fsync": "always", "settings": None,
    }  # fmt: skip
    return json.dumps(members, separators=(",", ":")).encode()


# -- mutations

_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|\{\}|\[\]')
_NUMBERS = [
    0, 1, 2, -1, 3, 8, 511, 512, 2**16, 2**24, 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**19 - 1, 10**19,
]  # fmt: skip
_WORDS = [
    b'""', b"null", b"true", b"[]", b"{}", b"1e999", b"-0", b"1.0", b"NaN", b'"\\ud800"', b'"\xff"', b'"\\u0041"',
    b'"/"', b'"9999-12-31T23:59:59.999999Z"', b'"0001-01-01T00:00:00.000000Z"', b'"0000-01-01T00:00:00.000000Z"',
    b'"2026-02-31T10:11:12.000000Z"', b'"2026-11-21T10:11:12.000009Z"', b'"audit.segment"', b'"audit.purged"',
    b'"audit.settings"', b'"audit.lost"', b'"audit."', b'"unsynced"', b'"missing"', b'"this"', b"[1,2]", b"[2,2]",
    b'"' + b"0" * 64 + b'"', b'"' + LOG.encode() + b'"', b'"0190c0de-0000-7000-8000-00000000ffff"',
    b'{"unsynced":true}', b'{"bytes":5,"blake3":null}', b'{"segment":1,"last_seq":8,"head":"' + b"0" * 64 + b'"}',
    b"[" * 130 + b"]" * 130, b'{"":' * 200 + b"1" + b"}" * 200, b"[" * 3000, b"9" * 5000,
]  # fmt: skip
_MEMBERS = [
    b',"batch":[1,2]', b',"batch":[2,2]', b',"batch":[1,999999999]', b',"clock":"2026-11-21T10:11:12.000000Z"',
    b',"time":"1970-01-01T00:00:00.000000Z"', b',"time":5', b',"seq":1', b',"prev":"x"', b',"a":{"time":"x"}',
    b',"salt":"x"', b',"erased":1', b',"x":"\\n"', b', "white":1', b',"twice":1,"twice":2', b',"details":{"x":1}',
    b',"details":{"format":2}', b',"text":"' + b"x" * 5000 + b'"', b',"\\u0000":0', b",",
]  # fmt: skip
_SEQ = re.compile(rb'\A\{"seq":\d{0,25}')
_PREVIOUS = re.compile(
    rb'"previous":\{"name":"[^"]*","first_seq":\d+,"last_seq":\d+,"bytes":\d+,"blake3":"[^"]*","time":'
    rb'\["[^"]*","[^"]*"\]'
)


def changed(data: bytes, chance: random.Random) -> bytes:
    """Another input: a few changes to its files, lines or members, and most often the hashes that fit them."""
    if chance.random() < 0.05:
        return bytes_changed(data, chance)
    options, parts = parts_of(data)
    if chance.random() < 0.3:
        options = chance.randrange(256)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        if not parts or chance.random() < 0.15:
            parts = _files_changed(parts, chance)
            continue
        number = chance.randrange(len(parts))
        role, content = parts[number]
        how = chance.choice((_member_changed, _member_changed, _lines_changed, _bytes_of_one, _end_changed))
        parts[number] = role, how(content, chance)
    if chance.random() < 0.7:
        parts = mended(parts, chance)
    return pack(options, parts)


def _files_changed(parts: Parts, chance: random.Random) -> Parts:
    if not parts:
        return [(chance.randrange(ROLES), chance.randbytes(8))]
    kind = chance.randrange(4)
    number = chance.randrange(len(parts))
    role, content = parts[number]
    if kind == 0:
        return parts[:number] + parts[number + 1 :]
    if kind == 1:
        return [*parts, (chance.randrange(ROLES), content)]
    if kind == 2:
        other = chance.randrange(len(parts))
        swapped = list(parts)
        swapped[number], swapped[other] = (role, parts[other][1]), (parts[other][0], content)
        return swapped
    return [*parts[:number], (chance.randrange(ROLES), content), *parts[number + 1 :]]


def _member_changed(content: bytes, chance: random.Random) -> bytes:
    """One token of a line is another, or a member more stands there."""
    lines = content.splitlines(True)
    if not lines:
        return content
    number = chance.randrange(len(lines))
    if chance.random() < 0.3:
        number = 0
    text = lines[number]
    if chance.random() < 0.25:
        at = text.rfind(b',"prev":"')
        if at > 0:
            lines[number] = text[:at] + chance.choice(_MEMBERS) + text[at:]
        return b"".join(lines)
    tokens = list(_TOKEN.finditer(text))
    if tokens:
        found = chance.choice(tokens)
        kind = chance.randrange(4)
        if kind == 0:
            other = chance.choice(tokens)[0]
        elif kind == 1:
            other = str(chance.choice(_NUMBERS)).encode()
        elif kind == 2 and found[0].isdigit():
            other = str(max(0, int(found[0][:25]) + chance.choice((-1, 1, 2, 7, -7)))).encode()
        else:
            other = chance.choice(_WORDS)
        lines[number] = text[: found.start()] + other + text[found.end() :]
        if chance.random() < 0.5:
            lines[number] = _rehashed(lines[number])
    return b"".join(lines)


def _lines_changed(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(True)
    if not lines:
        return content
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    kind = chance.randrange(5)
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines.insert(two, lines[one])
    elif kind == 2:
        lines[one], lines[two] = lines[two], lines[one]
    elif kind == 3:
        lines.insert(one, chance.choice((b"\n", b"{}\n", b"\0\n", b"\r\n", b"\xef\xbb\xbf{\n", b"x" * 300 + b"\n")))
    else:
        lines[one] = chance.choice((lines[one].rstrip(b"\n"), lines[one][:-1] + b"\r\n", b"\xef\xbb\xbf" + lines[one]))
    return b"".join(lines)


def _bytes_of_one(content: bytes, chance: random.Random) -> bytes:
    return bytes_changed(content, chance)


def _end_changed(content: bytes, chance: random.Random) -> bytes:
    """What a crash may leave at the end, and what none does."""
    kind = chance.randrange(5)
    at = chance.randrange(len(content) + 1)
    lines = content.splitlines(True)
    if kind == 0:
        return content[:at]
    if kind == 1:
        return content + bytes(chance.choice((1, 100, 512 - len(content) % 512, 1024 - len(content) % 512)))
    if kind == 2:
        low, high = at - at % 512, at - at % 512 + 512 * chance.randrange(1, 3)
        return content[:low] + bytes(min(high, len(content)) - low) + content[high:]
    if kind == 3 and lines:
        return content + chance.choice(lines)[: chance.randrange(400)]
    return content + chance.choice((b"\n", b"x", b"{", b"\0", b"{}\n"))


def _rehashed(text: bytes) -> bytes:
    return text[:-67] + blake3(text[:-76]).hexdigest().encode() + b'"}\n' if len(text) > 150 else text


def mended(parts: Parts, chance: random.Random) -> Parts:
    """The files with the chain through all of them whole again, as far as their lines still have the form of one."""
    order = {SEALED: 0, PACKED: 0, ACTIVE: 1, NEXT: 2}
    kept = dict(parts)
    roles = [role for role in kept if role in (ACTIVE, NEXT) or SEALED <= role < GZ]
    roles.sort(key=lambda role: (order.get(min(SEALED, role), 0), role % 4))
    renumber, times = chance.random() < 0.7, chance.random() < 0.9
    seq, prev, said = 0, ZERO.encode(), b""
    for role in roles:
        lines = kept[role].splitlines(True)
        stamps = [b"2026-11-21T10:11:12.000000Z"]
        first = seq + 1
        for number, text in enumerate(lines):
            if text[-150:-141] != b',"prev":"' or not text.endswith(b'"}\n'):
                continue
            if number == 0 and said and b'"previous":' in text:
                text = _PREVIOUS.sub(said, text, count=1)
            text = text[:-141] + prev + text[-77:]
            seq += 1
            if renumber:
                text = _SEQ.sub(b'{"seq":%d' % seq, text)
            lines[number] = text = _rehashed(text)
            prev = text[-67:-3]
            stamps += [record.ts_of(text).encode("ascii", "replace")] if record.HEAD.match(text) else []
            own = record.own_time(text)
            stamps += [own.encode()] if own else []
        kept[role] = content = b"".join(lines)
        end = content.rfind(b"\n") + 1
        low, high = (min(stamps[1:] or stamps), max(stamps[1:] or stamps)) if times else (stamps[0], stamps[0])
        said = b'"previous":{"name":"audit.%b.jsonl","first_seq":%d,"last_seq":%d,"bytes":%d,"blake3":"%b","time":' % (
            STAMPS[role % 4].encode(), first, seq, end, blake3(content[:end]).hexdigest().encode(),
        )  # fmt: skip
        said += b'["%b","%b"]' % (low, high)
    if ACTIVE in kept and chance.random() < 0.3:
        kept[MARK] = _mark_of(kept[ACTIVE], chance)
    return sorted(kept.items())


def _mark_of(content: bytes, chance: random.Random) -> bytes:
    """A mark that fits an active file, or that says one thing too much of it."""
    header = content.partition(b"\n")[0]
    log, segment = re.search(rb'"log":"([^"\\]*)"', header), re.search(rb'"segment":(\d{1,18})', header)
    found = json.loads(_mark(content, int(segment[1]) if segment else 1, failed=chance.random() < 0.3))
    found["log"] = log[1].decode("ascii", "replace") if log else LOG
    found["fsync"] = chance.choice(["always", "interval", "never"])
    if chance.random() < 0.2:
        found["boot"] = "another"
    if chance.random() < 0.3:
        found["synced"] += chance.choice((-1, 1, 77, 512, 10_000))
    if chance.random() < 0.2:
        found[chance.choice(sorted(found))] = chance.choice((0, 1, 2**64 - 1, None, "x", [1, 2], {"segment": 1}))
    return json.dumps(found, separators=(",", ":")).encode()


def content_of(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder."""
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}
