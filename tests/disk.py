"""A folder with a log in it, with verbs: append, seal, flip a byte, cut, drop, put a hole; and the calls that reach it.

`chain` reads a log back without the code under test: it knows nothing but json and blake3, and fails where the files
do not say what the format has them say. `Calls` stands before the one door to the operating system: it counts, makes
the n-th call fail, and hands over what lies on the disk between any two of them.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from jsonl_audit import AuditLog, storage


class Disk:
    """The folder of one log."""

    def __init__(self, folder: Path, name: str = "audit.jsonl") -> None:
        self.folder = folder
        self.path = folder / name

    def open(self, **options: Any) -> AuditLog:
        """The log, open; never synced unless asked for, since most tests are not about that."""
        return AuditLog(self.path, **{"fsync": "never", **options})

    def make(self, *counts: int, **options: Any) -> Disk:
        """A log with so many records in each segment, closed."""
        with self.open(**options) as log:
            for number, count in enumerate(counts):
                if number:
                    log.rotate()
                for n in range(count):
                    log.append("test.event", details={"segment": number + 1, "n": n})
        return self

    @property
    def lock(self) -> Path:
        """The lock file, which holds the mark."""
        return self.folder / (self.path.name + ".lock")

    @property
    def next(self) -> Path:
        """The next segment, while one is being sealed."""
        return self.folder / (self.path.name + ".next")

    def sealed(self) -> list[Path]:
        """The sealed segments, by name."""
        return [self.folder / name for name in sealed_names(self.names(), self.path.name)]

    def names(self) -> set[str]:
        """The names in the folder."""
        return {path.name for path in self.folder.iterdir()}

    def lines(self, path: Path | None = None) -> list[bytes]:
        """The lines of a segment, LF included; of the active one by default."""
        return (path or self.path).read_bytes().splitlines(keepends=True)

    def forget(self) -> Disk:
        """Takes the mark away: what a power cut may do."""
        self.lock.write_bytes(b"")
        return self

    def flip(self, offset: int, path: Path | None = None) -> None:
        """Flips a bit of one byte."""
        data = bytearray((path or self.path).read_bytes())
        data[offset] ^= 1
        (path or self.path).write_bytes(data)

    def cut(self, size: int, path: Path | None = None) -> None:
        """Cuts a file to `size` bytes, or by so many if below 0."""
        path = path or self.path
        os.truncate(path, size if size >= 0 else path.stat().st_size + size)

    def grow(self, data: bytes, path: Path | None = None) -> None:
        """Appends what no writer of ours did."""
        with (path or self.path).open("ab") as file:
            file.write(data)

    def hole(self, start: int, stop: int, path: Path | None = None) -> None:
        """Puts NUL bytes in the place of what stood from `start` to `stop`: a block that the disk lost."""
        with (path or self.path).open("r+b") as file:
            file.seek(start)
            file.write(bytes(stop - start))

    def copy(self, folder: Path) -> Disk:
        """The folder as it lies there now, elsewhere."""
        shutil.copytree(self.folder, folder)
        return Disk(folder, self.path.name)

    def content(self) -> dict[str, bytes]:
        """All that lies there, but for the lock file's changing half."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.suffix != ".lock"}


@dataclass
class Chain:
    """A log as it lies on the disk, oldest first."""

    records: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, Any]] = field(default_factory=list)
    """`details` of the header of each segment."""
    torn: list[dict[str, Any] | None] = field(default_factory=list)
    """What each segment's successor says of what stands behind its end."""
    damage: list[list[dict[str, Any]]] = field(default_factory=list)
    """What each segment's successor lists as damage."""

    @property
    def events(self) -> list[dict[str, Any]]:
        """The records that are not the engine's own."""
        return [record for record in self.records if not record["type"].startswith("audit.")]

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [record["id"] for record in self.events]

    @property
    def lost(self) -> list[dict[str, Any]]:
        """What the audit.lost records say."""
        return [record["details"] for record in self.records if record["type"] == "audit.lost"]


def sealed_names(names: Iterable[str], name: str) -> list[str]:
    """Those of the names that sealed segments of a log of that name have, in their order."""
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    form = re.compile(rf"{re.escape(stem)}\.\d{{8}}T\d{{12}}Z{re.escape(dot + suffix)}(\.gz|\.zst)?")
    return sorted(each for each in names if form.fullmatch(each))


def chain(disk: Disk) -> Chain:
    """The log, read back by `chain_of`."""
    names = [*disk.sealed(), disk.path]
    return chain_of({path.name: path.read_bytes() for path in names}, disk.path.name)


def chain_of(contents: Mapping[str, bytes], active: str) -> Chain:
    """The log in these files, read back; fails where it is not one whole chain of which every byte is accounted for.

    A piece without LF at the end of the newest segment fails too: opening would have sealed it. Segments that are not
    here any more must have been purged, accountably.
    """
    found = Chain()
    paths = [*sealed_names(contents, active), active]
    headers = {path: json.loads(contents[path].split(b"\n", 1)[0]) for path in paths}
    paths.sort(key=lambda path: int(headers[path]["details"]["segment"]))
    seq, prev, ts = 0, "0" * 64, ""
    first_number = headers[paths[0]]["details"]["segment"]
    if first_number > 1:
        seq, prev = headers[paths[0]]["seq"] - 1, headers[paths[0]]["prev"]
    for index, path in enumerate(paths):
        content, header = contents[path], headers[path]
        details = header["details"]
        assert details["segment"] == first_number + index, f"{path} is segment {details['segment']}"
        assert details["log"] == headers[paths[0]]["details"]["log"]
        said: dict[str, Any] = headers[paths[index + 1]]["details"]["previous"] if index + 1 < len(paths) else {}
        end = said.get("bytes", len(content))
        assert end <= len(content)
        damage = said.get("damage", [])
        times = []
        first = seq + 1
        for number, line in enumerate(content[:end].splitlines(keepends=True)):
            at = f"{path}, line {number + 1}"
            try:
                record = json.loads(line)
            except ValueError:
                assert damage, f"{at} is no record, and nobody said so"
                continue
            if blake3(line[:-76]).hexdigest() != record.get("hash"):
                assert damage, f"{at} was changed, and nobody said so"
                seq, prev = seq + 1, line[-67:-3].decode("ascii", "replace")
                continue
            assert line.endswith(b"\n"), at
            assert (record["type"] == "audit.segment") == (number == 0), at
            assert (record["seq"], record["prev"]) == (seq + 1, prev) or damage, f"{at} does not follow seq {seq}"
            assert record["ts"] >= ts, at
            seq, prev, ts = record["seq"], record["hash"], record["ts"]
            times.append(record.get("time", record["ts"]))
            found.records.append(record)
        if not damage:
            _whole_batches([record for record in found.records if record["seq"] >= first], path)
        if said:
            assert path.removesuffix(".gz") == said["name"]
            assert blake3(content[:end]).hexdigest() == said["blake3"], path
            if not damage:
                assert (said["first_seq"], said["last_seq"]) == (first, seq)
                low, high = said["time"]  # wider by no more than the last ts, where records have times of their own
                assert low <= min(times) <= max(times) <= high <= max(*times, ts)
            torn = said.get("torn")
            if not (torn and torn.get("unsynced")):
                rest = content[end:]
                expected = {"bytes": len(rest), "blake3": blake3(rest).hexdigest()} if rest else None
                if expected and torn and torn["blake3"] is None:  # it could not be read then
                    expected["blake3"] = None
                assert torn == expected, path
            found.torn.append(torn)
            found.damage.append(damage)
        found.headers.append(details)
    if first_number > 1:
        floors = [record["details"]["through"] for record in found.records if record["type"] == "audit.purged"]
        floors += [details["purged"] for details in found.headers if "purged" in details]
        through = {"segment": first_number - 1, "last_seq": found.records[0]["seq"] - 1}
        through["head"] = found.records[0]["prev"]
        assert through in floors, f"segments before {first_number} are missing, and no purge says so: {floors}"
    return found


def _whole_batches(records: list[dict[str, Any]], name: str) -> None:
    due: list[int] = []
    for record in records:
        batch = record.get("batch")
        if batch:
            due = due or list(range(1, batch[1] + 1))
            assert batch[0] == due.pop(0), f"{name}: a batch out of step at seq {record['seq']}"
        else:
            assert not due, f"{name}: a batch breaks off before seq {record['seq']}"
    assert not due, f"{name}: a batch breaks off at the end"


# -- the calls

CALLS = (
    "close",
    "list_directory",
    "make_directory",
    "open_append",
    "open_lock",
    "open_read",
    "overwrite",
    "read",
    "rename",
    "replace",
    "size",
    "stat",
    "sync",
    "sync_directory",
    "unlink",
    "write",
)
CHANGING = (
    "make_directory",
    "open_append",
    "overwrite",
    "rename",
    "replace",
    "sync",
    "sync_directory",
    "unlink",
    "write",
)


class Calls:
    """What is asked of the operating system, one call after the other.

    `made` holds the name and the arguments of each; `before` is asked before each, and may raise.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, tuple[Any, ...]]] = []
        self.before: Callable[[str, tuple[Any, ...]], None] | None = None
        self.after: Callable[[str, tuple[Any, ...], Any], None] | None = None
        self.bytes_read = 0
        for name in CALLS:
            monkeypatch.setattr(storage, name, self._wrapped(name, getattr(storage, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.made.append((name, args))
            if self.before is not None:
                self.before(name, args)
            result = real(*args, **kwargs)
            if name == "read":
                self.bytes_read += len(result)
            if self.after is not None:
                self.after(name, args, result)
            return result

        return call

    def clear(self) -> None:
        """Forgets what was asked until now."""
        self.made.clear()
        self.bytes_read = 0

    def count(self, name: str) -> int:
        """How often a call was made."""
        return sum(1 for made, _ in self.made if made == name)

    def fail(self, name: str, nth: int = 1, *, error: int = errno.EIO, for_ever: bool = False, about: str = "") -> None:
        """From now on, the n-th call of `name` fails, and with `for_ever` every later one too.

        `about`: only calls whose arguments name it count, or a descriptor of such a file.
        """
        left = [nth]

        def before(made: str, args: tuple[Any, ...]) -> None:
            if made != name or (about and not any(about in _named(arg) for arg in args)):
                return
            left[0] -= 1
            if left[0] == 0 or (for_ever and left[0] < 0):
                raise OSError(error, os.strerror(error), *(arg for arg in args[:1] if isinstance(arg, str)))

        self.before = before

    def heal(self) -> None:
        """From now on, nothing fails."""
        self.before = None


def _named(arg: Any) -> str:
    if isinstance(arg, int) and not isinstance(arg, bool):
        try:
            return os.readlink(f"/proc/self/fd/{arg}")
        except OSError:
            return ""
    return arg if isinstance(arg, str) else ""


@contextmanager
def another_boot(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the machine had been started anew."""
    with monkeypatch.context() as patch:
        patch.setattr(storage, "boot_id", lambda: "another boot")
        yield


def holders(path: Path) -> bool:
    """Whether the lock of a log is held."""
    return storage.probe(str(path) + ".lock")


def open_below(folder: Path) -> int:
    """How many files and folders below one this process has open; 0 where that cannot be known."""
    count = 0
    for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else ():
        with suppress(OSError):  # the look itself had it open
            count += os.readlink(f"/proc/self/fd/{fd}").startswith(os.path.realpath(folder))
    return count


def until_well(log: AuditLog) -> None:
    """Returns when nothing is held or to be told any more: the background thread may be the one to do it."""
    while log._policy.trouble:
        time.sleep(0.001)


__all__ = [
    "CHANGING", "Calls", "Chain", "Disk", "another_boot", "chain", "chain_of", "holders", "open_below",
    "sealed_names", "until_well",
]  # fmt: skip
