"""Two examiners, one verdict: logs with all sorts of harm, judged by verify and by the script of the report.

    python tests/examiners.py [--rounds 300] [--seed 1]     prints where they part; exit status 1 if they do
"""

from __future__ import annotations

import argparse
import gzip
import random
import shutil
import sys
import tempfile
from pathlib import Path

from logs import OTHER, Log, rehashed
from second import repeat

from jsonl_audit.errors import AuditError
from jsonl_audit.report import examine

__all__ = ["rounds"]


def grown(folder: Path, lot: random.Random) -> Log:
    """A log as writers, crashes and purges leave it."""
    log = Log(folder, lot.choice(["audit.jsonl", "log", "a b.jsonl"]))
    for _ in range(lot.randint(1, 4)):
        for _ in range(lot.randint(0, 4)):
            what = lot.random()
            if what < 0.2:
                log.batch([{"type": "test.event", "n": number} for number in range(lot.randint(2, 4))])
            elif what < 0.3:
                own = "2020-01-01T00:00:00.000000Z"
                log.add({"type": "test.event", "time": own, "details": {"a": [1, {"b": "\\"}]}})
            else:
                log.fill(1)
        if lot.random() < 0.15:
            log.raw(lot.choice([b'{"seq":1,"ts', bytes(700), b'{"torn']))
        if lot.random() < 0.15 and log.segment > 1:
            through = lot.randint(1, log.segment - 1)
            if log.paths[through - 1].exists():
                log.purge(through, unlink=lot.random() < 0.7)
        log.seal()
    log.fill(lot.randint(0, 3))
    return log


def harmed(log: Log, lot: random.Random) -> str:
    """Something done to a log; what, in a word."""
    there = [number for number, path in enumerate(log.paths, 1) if path.exists() and path.stat().st_size]
    if not there:
        return "nothing"
    number = lot.choice(there)
    lines = log.lines(number)
    at = lot.randrange(len(lines))
    what = lot.choice(
        ["nothing", "flip", "cut", "drop", "delete", "double", "swap", "insert", "rehash", "torn", "hole", "foreign",
         "older", "empty", "batch", "twice", "header", "crlf", "end", "drop-active"]
    )  # fmt: skip
    path = log.paths[number - 1]
    if what == "flip":
        log.flip(number, lot.randrange(len(log.read(number))), lot.randrange(8))
    elif what == "cut":
        log.cut(number, lot.randrange(len(log.read(number)) + 1))
    elif what == "drop":
        log.drop(number)
    elif what == "delete":
        log.delete_line(number, at)
    elif what == "double":
        log.double_line(number, at)
    elif what == "swap" and at + 1 < len(lines):
        log.swap_lines(number, at)
    elif what == "insert":
        junk = [b"\n", b"junk\n", b"\x00\xff\n", b'{"seq":5}\n', lines[at][:50] + b"\n", bytes(512) + b"\n"]
        log.insert_line(number, at, lot.choice(junk))
    elif what == "rehash":
        old, new = lot.choice([
            (b'"n":', b'"n" :'), (b'"u', b'"\xff'), (b'"n":', b'"n":0'), (b'"seq":', b'"seq":1'),
            (b'"type":"test', b'"type":"te\\u0073t'), (b'"ts":"2', b'"ts":"1'), (b'"prev":"', b'"prev":"0'),
            (b'"id":"u', b'"id":{},"id":"u'), (b'"n":', b'"n":99999999999999999999,"m":'), (b'"n":', b'"n":1e999,"m":'),
        ])  # fmt: skip
        log.write(number, [*lines[:at], rehashed(lines[at].replace(old, new, 1)), *lines[at + 1 :]])
    elif what == "torn":
        log.raw(b'{"seq":9')
    elif what == "hole":
        size = len(log.read(log.segment)) if log.active.exists() else 0
        log.raw(bytes(512 - size % 512 + 512) + lot.choice([b"", b"\n", b"rest\n", lines[at]]))
    elif what == "foreign":
        Log(log.directory, "other.jsonl", log=OTHER).fill(2).active.rename(
            log.directory / log.names.sealed("20300101T000000000000Z")
        )
    elif what in ("older", "twice"):
        data = b"".join(lines[: at + 1]) if what == "older" else path.read_bytes()
        (log.directory / log.names.sealed("20300101T000000000001Z")).write_bytes(data)
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "batch":
        log.active.touch()
        log.batch([{"type": "a.b"}, {"type": "a.b"}])
        log.cut(len(log.paths), len(log.read(len(log.paths))) - lot.choice([1, 300, 700]))
    elif what == "header":
        log.write(number, lines[1:])
    elif what == "crlf":
        log.write(number, [line.replace(b"\n", b"\r\n") for line in lines])
    elif what == "end":
        log.write(number, lines[: at + 1])
    elif what == "drop-active":
        log.active.unlink(missing_ok=True)
    return what


def copied(log: Log, lot: random.Random, folder: Path) -> list[str]:
    """The files of a log as a careless copier leaves them in a folder: cut, merged, split, renamed, packed, doubled."""
    folder.mkdir()
    pieces = [(path.name, path.read_bytes()) for path in log.paths if path.exists()]
    done = []
    for _ in range(lot.randint(0, 3)):
        at = lot.randrange(len(pieces))
        name, data = pieces[at]
        what = lot.choice(["cut", "merge", "split", "rename", "pack", "older", "zeros", "lose", "flip"])
        where = lot.randrange(len(data) + 1)
        if what in ("cut", "zeros"):
            pieces[at] = (name, data[:where] + bytes(600) * (what == "zeros"))
        elif what == "merge" and len(pieces) > 1:
            _, other = pieces.pop((at + 1) % len(pieces))
            pieces = [(n, data + other if n == name else d) for n, d in pieces]
        elif what == "split":
            pieces[at : at + 1] = [(name, data[:where]), (f"part-{len(pieces)}.{where}", data[where:])]
        elif what == "rename":
            pieces[at] = (f"copy {len(done)} of {name}", data)
        elif what == "pack" and not name.endswith(".gz"):
            packed = gzip.compress(data)
            pieces[at] = (f"{name}.gz", packed if lot.random() < 0.7 else packed[: len(packed) - 9])
        elif what == "older":
            pieces.append((f"old-{len(pieces)}", data[:where]))
        elif what == "lose" and len(pieces) > 1:
            del pieces[at]
        elif what == "flip" and where < len(data):
            pieces[at] = (name, data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :])
        done.append(what)
    for name, data in pieces:
        (folder / name).write_bytes(data)
    return done


def rounds(count: int, seed: int, folder: Path, copies: float = 0.3) -> list[str]:
    """So many logs, judged twice; what the two examiners do not agree on."""
    apart = []
    for number in range(seed, seed + count):
        lot = random.Random(number)
        place = folder / str(number)
        place.mkdir()
        log = grown(place, lot)
        full, named, copy = lot.random() < 0.5, lot.random() < 0.8, lot.random() < copies
        if copy:
            place = place / "copy"
            done = copied(log, lot, place)
        else:
            done = [harmed(log, lot) for _ in range(lot.choice([0, 1, 1, 1, 2]))]
        files = sorted(path for path in place.iterdir() if path.is_file())
        try:
            found = examine(place if copy else log.active if named or not files else files, full=full, copy=copy)
        except AuditError as error:
            if error.exit_code not in (2, 4):
                apart.append(f"{number} {done}: {error!r}")
            continue
        report = folder / f"report.{lot.choice(['html', 'md', 'json'])}"
        found.save(report)
        heard = repeat(report, place)
        if (heard.verdict, heard.status, heard.errors) != (found.verdict, found.exit_code, ""):
            kinds = sorted({finding.kind for finding in found.findings})
            apart.append(f"{number} {done} full={full} named={named} copy={copy}: {found.verdict} {kinds}, not {heard}")
        else:
            shutil.rmtree(folder / str(number))
    return apart


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--copies", type=float, default=0.3, help="the share of logs that are judged as copies")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="examiners-"))
    apart = rounds(given.rounds, given.seed, folder, given.copies)
    print(*apart, sep="\n")
    print(f"{given.rounds} logs, {len(apart)} on which the two do not agree" + (f"; see {folder}" if apart else ""))
    if not apart:
        shutil.rmtree(folder)
    return bool(apart)


if __name__ == "__main__":
    sys.exit(main())
