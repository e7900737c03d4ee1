"""A log is copied while it is written, rotated and purged, by tools that know nothing of it: no copy may be accused.

A command, from the top of a clone::

    python tests/copying.py --rounds 200

In each round a writer appends, commits batches, seals, purges and crashes, and between its steps files are copied, a
part of one at a time, as cp, tar, scp and rsync do: each file as long as it was when the copier came to it, or cut off
anywhere; the folder listed before or in between; what was there kept, replaced or grown. Then the copy is verified: as
copies it may be intact, torn or incomplete, never tampered or forked. As a log it may also be accused where a file in
it ends within its header, or a sealed one early, and only there. What it holds is compared with the log: the copy may
lack records, and have none of its own but those that were purged. Then the copies are renamed, packed, merged and
split, and verified again.

With `--beside`, real programs (cp, tar, rsync) copy beside a process that writes, as fast as both can.

Some rounds are a part of the tests. Where anything is wrong, it ends with exit status 1, and the folder stays.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from jsonl_audit import AuditLog, LogError, compare, verify
from jsonl_audit.segment import parse_header

__all__ = ["Accused", "Copied", "beside", "main", "reshaped", "round_of"]

GOOD = {"intact", "torn", "incomplete", "empty"}
TORN = [b'{"seq":', b'{"seq":99,"ts":"2026-11-22T', b'{"seq":7,"ts":"2026-11-22T00:00:00.000000Z","id":"']


class Accused(Exception):  # noqa: N818 - it says what is wrong with a verdict
    """A copy is called what it is not."""


class Writer:
    """A log that is written a step at a time."""

    def __init__(self, folder: Path, lot: random.Random) -> None:
        folder.mkdir()
        self.path = folder / "audit.jsonl"
        self._lot = lot
        self._log = self._open()
        self.steps: Counter[str] = Counter()

    def _open(self) -> AuditLog:
        return AuditLog(self.path, fsync="never", max_bytes=self._lot.choice((2000, 5000, 20_000)), redact=None)

    def step(self) -> None:
        """Does one thing."""
        kind = self._lot.choices(("append", "batch", "seal", "purge", "crash"), (60, 15, 12, 6, 4))[0]
        self.steps[kind] += 1
        if kind == "append":
            self._log.append("test.event", details={"text": "x" * self._lot.randrange(600)})
        elif kind == "batch":
            self._log.append_many([{"type": "test.event", "n": n} for n in range(self._lot.randrange(2, 6))])
        elif kind == "seal":
            self._log.rotate()
        elif kind == "purge":
            self._log.purge(keep=self._lot.randrange(1, 4), reason="old", force=True)
        else:
            self._log.close()
            with self.path.open("ab") as file:
                file.write(self._lot.choice(TORN)[: self._lot.randrange(1, 60)])
            self._log = self._open()

    def steps_of(self, count: int) -> None:
        """Does several things."""
        for _ in range(count):
            self.step()

    def close(self) -> None:
        """Ends it."""
        self._log.close()


class Copied:
    """A folder with copies, and the tool that brings them, a part at a time."""

    def __init__(self, source: Path, target: Path, lot: random.Random) -> None:
        self.source, self.target, self._lot = source, target, lot
        target.mkdir()

    def once(self, meanwhile: Callable[[], None]) -> None:
        """One run over the folder; `meanwhile` is what the writer does between two of its steps."""
        names = self._listed()
        for name in names:
            meanwhile()
            origin = self.source / name
            try:
                file = origin.open("rb")
            except FileNotFoundError:  # sealed or purged since it was listed
                continue
            with file:
                self._one(file, self.target / name, meanwhile)
        if self._lot.random() < 0.3:  # as with --delete
            for path in [*self.target.iterdir()]:
                if path.name not in names:
                    path.unlink()

    def _listed(self) -> list[str]:
        """The names in the order in which a folder gives them: in none."""
        kept = [path.name for path in self.source.iterdir() if path.is_file() and path.suffix != ".lock"]
        if self._lot.random() < 0.5:
            kept.sort()
        else:
            self._lot.shuffle(kept)
        return kept

    def _one(self, file: object, target: Path, meanwhile: Callable[[], None]) -> None:
        """Copies a file part by part: over what is there, or put in its place when it is done."""
        read = file.read  # type: ignore[attr-defined]
        parts = []
        while data := read(self._lot.choice((100, 1000, 4096, 100_000))):
            parts.append(data)
            if self._lot.random() < 0.3:
                meanwhile()
        data = b"".join(parts)
        if self._lot.random() < 0.15:  # cut off anywhere
            whole, data = len(data), data[: self._lot.randrange(len(data) + 1)]
            if whole - len(data) >= 512 and self._lot.random() < 0.2:
                data += bytes(whole - len(data))  # room was made for what did not come
        if self._lot.random() < 0.5:
            target.write_bytes(data)
        else:
            aside = target.with_name(f".{target.name}.{self._lot.randrange(10**6):06}")
            aside.write_bytes(data)
            if self._lot.random() < 0.85:
                aside.replace(target)  # else it was killed, and the old file stays beside the new one


def judged(source: Path, copied: Path) -> str:
    """The verdict on the copies in a folder. Raises Accused."""
    try:
        report = verify(copied, copy=True)
    except LogError:
        if any(path.stat().st_size > 120 for path in copied.iterdir()):
            raise
        return "nothing"  # of the first line so little is here that it is no record
    if report.verdict not in GOOD:
        raise Accused(f"{copied} is called {report.verdict} as a copy:\n{report}")
    named = copied / source.name
    if named.exists():
        as_log = verify(named)
        if as_log.verdict not in GOOD and not _sealed_cut(copied):
            raise Accused(f"{copied} is called {as_log.verdict} as a log:\n{as_log}")
        if verify(named, copy=True).verdict not in GOOD:
            raise Accused(f"{named} is called what it is not, as a copy:\n{verify(named, copy=True)}")
    found = compare(source, copied)
    oldest = found.a.first_seq or 1
    if found.parted is not None or any(high >= oldest for _, high in found.a_lacks):
        raise Accused(f"{copied} is said to differ:\n{found}")
    return report.verdict


def _sealed_cut(folder: Path) -> bool:
    """Whether a sealed file beside its successor ends before where that says, or any within its header."""
    files = [path for path in folder.iterdir() if path.name.startswith("audit.") and path.suffix == ".jsonl"]
    headers = {}
    for path in files:
        header = parse_header(path.read_bytes().partition(b"\n")[0] + b"\n")
        if header is not None:
            headers[header.segment] = header, path
        elif path.name != "audit.jsonl" or path.stat().st_size:
            return True  # so short that its header is not whole
    for number, (_, path) in headers.items():
        following = headers.get(number + 1)
        if following is not None and following[0].previous is not None:
            said = following[0].previous
            size = len(path.read_bytes().rstrip(b"\0"))
            if size < said.bytes + max(0, said.torn_bytes):
                return True
    return False


def reshaped(copied: Path, target: Path, lot: random.Random) -> Iterator[Path]:
    """The same copies in other shapes: renamed, packed, merged, split."""
    files = [(path.name, path.read_bytes()) for path in sorted(copied.iterdir()) if path.is_file()]
    files = [(name, data) for name, data in files if not name.endswith(".next")]
    lot.shuffle(files)

    def put(kind: str, made: dict[str, bytes]) -> Path:
        folder = target / kind
        folder.mkdir()
        for name, data in made.items():
            (folder / name).write_bytes(data)
        return folder

    yield put("renamed", {f"copy ({number}) [x]\n": data for number, (_, data) in enumerate(files)})
    packed = {f"{number}.gz": gzip.compress(data, 1) for number, (_, data) in enumerate(files)}
    if packed and lot.random() < 0.5:
        name = lot.choice([*packed])
        packed[name] = packed[name][: lot.randrange(20, len(packed[name]) + 1)]
    yield put("packed", packed)
    whole = b"".join(data for _, data in files)
    yield put("merged", {"all": whole})
    size = lot.choice((1500, 4096, 7000))
    pieces = {}
    for number, (_, data) in enumerate(files):
        kept = data.rstrip(b"\0")
        pieces |= {f"{number}.{at:08}": kept[at : at + size] for at in range(0, len(kept), size)}
    if len(pieces) > 3 and lot.random() < 0.3:
        pieces.pop(lot.choice([*pieces]))
    yield put("split", pieces)


def round_of(seed: int, folder: Path, *, shapes: bool = True) -> Counter[str]:
    """One round; how often each verdict was given. Raises Accused."""
    lot = random.Random(seed)
    verdicts: Counter[str] = Counter()
    writer = Writer(folder / "log", lot)
    copies = [Copied(writer.path.parent, folder / name, lot) for name in ("once", "again", "kept")]
    writer.steps_of(lot.randrange(5, 40))
    for number in range(lot.randrange(1, 4)):
        for copied in copies[1 if number else 0 :]:
            copied.once(lambda: writer.steps_of(lot.randrange(3)))
            verdicts[judged(writer.path, copied.target)] += 1
        writer.steps_of(lot.randrange(20))
    writer.close()
    if shapes:
        for shape in reshaped(copies[-1].target, folder, lot):
            try:
                report = verify(shape, copy=True)
            except LogError:
                continue
            if report.verdict not in GOOD:
                raise Accused(f"{shape} is called {report.verdict}:\n{report}")
            verdicts[f"{shape.name}: {report.verdict}"] += 1
    return verdicts


# -- beside a process that writes

_WRITES = """
import sys
from jsonl_audit import AuditLog
with AuditLog(sys.argv[1], fsync="never", max_bytes=60_000, redact=None) as log:
    print("open", flush=True)
    for n in range(10**9):
        log.append("test.event", details={"n": n, "text": "x" * (n % 300)})
        if n % 7 == 0:
            log.append_many([{"type": "a.b", "n": i} for i in range(3)])
        if n % 900 == 899:
            log.purge(keep=5, reason="old")
"""
TOOLS = {
    "cp": "cp -a {source}/. {target}/",
    "tar": "tar -C {source} -cf - . | tar -C {target} -xf -",
    "tar, cut": "tar -C {source} -cf - . | head -c {cut} | tar -C {target} -xf -",
    "rsync": "rsync -a {source}/ {target}/",
    "rsync --inplace": "rsync -a --inplace {source}/ {target}/",
}


def beside(folder: Path, tool: str, rounds: int, lot: random.Random) -> Counter[str]:
    """Copies by a program, one upon the other and each for itself, beside a writer. Raises Accused."""
    source = folder / "log"
    source.mkdir()
    verdicts: Counter[str] = Counter()
    writing = subprocess.Popen(
        [sys.executable, "-c", _WRITES, str(source / "audit.jsonl")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert writing.stdout is not None
        assert writing.stdout.readline() == b"open\n"
        for number in range(rounds):
            target = folder / ("same" if number % 2 else f"own{number}")
            target.mkdir(exist_ok=True)
            words = TOOLS[tool].format(source=source, target=target, cut=lot.randrange(1000, 400_000))
            subprocess.run(["sh", "-c", words], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            verdicts[judged(source / "audit.jsonl", target)] += 1
            if writing.poll() is not None:
                raise Accused(f"the writer ended with {writing.returncode}")
    finally:
        writing.kill()
        writing.wait()
        writing.stdout.close()  # type: ignore[union-attr]
    return verdicts


def main(words: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--beside", action="store_true")
    options = parser.parse_args(words)
    logging.disable(logging.WARNING)  # a crash is told by the writer that comes after it
    began, verdicts = time.monotonic(), Counter[str]()
    runs = [*TOOLS] if options.beside else range(options.seed, options.seed + options.rounds)
    for run in runs:
        folder = Path(tempfile.mkdtemp(prefix="copying-"))
        try:
            if isinstance(run, str):
                if shutil.which(run.partition(" ")[0].rstrip(",")) is None:
                    print(f"{run}: not here")
                    continue
                found = beside(folder, run, options.rounds, random.Random(options.seed))
                print(f"{run}: {', '.join(f'{verdict} {count}' for verdict, count in sorted(found.items()))}")
            else:
                found = round_of(run, folder)
        except Exception as error:  # noqa: BLE001 - whatever it was, the folder stays
            print(f"{run}: {folder}: {error!r}\n{error}")
            return 1
        shutil.rmtree(folder)
        verdicts += found
    print(f"{len(runs)} runs in {time.monotonic() - began:.0f} s")
    for verdict, count in sorted(verdicts.items()):
        print(f"  {verdict}: {count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
