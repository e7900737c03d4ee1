"""Records that wait on disk for the one before them: memory does not grow with how many wait, nor with doubles.

They lie in files by their seq, a thousand seqs a file, each a line as it was committed. Of a few of these files the
index is in memory; the others are only appended to. A file that grew by half over is read and written without doubles.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator

from jsonl_audit import record, storage
from jsonl_audit.lines import Lines, Long

__all__ = ["Waiting"]

_SPAN = 1024
_BUCKETS = 1024
_HOT = 16
"""Files whose index is in memory, at most."""
_MOST = 16_384
"""Records that may wait in one file: a log has a sixteenth of them at most, the rest is somebody's invention."""
_GROWTH = 1 << 20
_BLOCK = 1 << 18


class _File:
    """One file: how many lines wait in it, its length, and what is not written yet."""

    __slots__ = ("count", "pending", "settled", "size")

    def __init__(self, count: int = 0, size: int = 0) -> None:
        self.count = count
        self.size = size
        self.settled = size
        self.pending: list[bytes] = []


class _Index:
    """Where in a file which record stands."""

    __slots__ = ("fd", "gone", "hashes", "places")

    def __init__(self) -> None:
        self.places: dict[bytes, list[tuple[int, bytes, int, int]]] = {}
        """By `prev`: seq, own hash, offset, length."""
        self.hashes: set[bytes] = set()
        self.gone = 0
        self.fd = -1

    def put(self, line: bytes, offset: int) -> bool:
        own = bytes.fromhex(line[-67:-3].decode())
        if own in self.hashes:
            return False
        self.hashes.add(own)
        prev = bytes.fromhex(line[-141:-77].decode())
        self.places.setdefault(prev, []).append((record.seq_of(line), own, offset, len(line)))
        return True

    def let_go(self) -> None:
        if self.fd >= 0:
            storage.let_go(self.fd)
            self.fd = -1


class Waiting:
    """The records that wait, in a directory. `sync` is called before a file is removed whose records went elsewhere.

    Raises OSError.
    """

    def __init__(self, directory: str, sync: Callable[[], None]) -> None:
        self._directory = directory
        self._sync = sync
        self._files: dict[int, _File] = {}
        self._hot: OrderedDict[int, _Index] = OrderedDict()
        self._dirty: set[int] = set()
        self._empty: set[int] = set()
        self._unsynced: set[int] = set()
        self.doubles = 0
        """Doubles found among what waits."""
        storage.make_directory(directory)
        for name in storage.list_directory(directory):
            digits, _, kind = name.partition(".")
            if not (digits.isdigit() and int(digits) < _BUCKETS):
                continue
            if kind == "jsonl":
                self._files[int(digits)] = _File(1, storage.size(os.path.join(directory, name)))
            elif kind == "new":  # a rewriting that was interrupted
                storage.unlink(os.path.join(directory, name))
        for number in list(self._files):
            self._load(number)
            self._cool(_HOT)

    def __len__(self) -> int:
        """How many wait; doubles that were not found yet are counted."""
        return sum(file.count for file in self._files.values())

    def exact(self) -> int:
        """How many wait, each once: files that were appended to are looked through."""
        for number in list(self._files):
            if self._files[number].size != self._files[number].settled and number not in self._hot:
                self._load(number)
                self._cool(_HOT)
        return len(self)

    def add(self, seq: int, line: bytes) -> bool:
        """Lets a record wait. False where too many wait around its seq already."""
        number = seq // _SPAN % _BUCKETS
        file = self._files.get(number)
        if file is None:
            file = self._files[number] = _File()
        index = self._hot.get(number)
        if index is not None and not index.put(line, file.size):
            self.doubles += 1
            return True
        if file.count >= _MOST or file.size > 2 * file.settled + _GROWTH:
            if index is None:
                index = self._load(number)
                if not index.put(line, file.size):
                    self.doubles += 1
                    return True
            if file.count >= _MOST:
                index.hashes.discard(bytes.fromhex(line[-67:-3].decode()))
                index.places[bytes.fromhex(line[-141:-77].decode())].pop()
                return False
            if index.gone:
                self._rewrite(number, file, index)
                index = self._load(number)
                index.put(line, file.size)
            else:
                file.settled = file.size
        file.count += 1
        file.size += len(line)
        file.pending.append(line)
        self._dirty.add(number)
        self._empty.discard(number)
        return True

    def take(self, seq: int, prev: bytes) -> bytes | None:
        """The record with this seq that goes on from `prev` (64 hex digits); it waits no longer. None if none does."""
        found = self._find(seq, prev)
        if found is None:
            return None
        number, index, places, at = found
        _, own, offset, size = places.pop(at)
        index.hashes.discard(own)
        index.gone += 1
        file = self._files[number]
        file.count -= 1
        if not file.count:
            self._empty.add(number)
        return self._read(number, index, offset, size)

    def _find(self, seq: int, prev: bytes) -> tuple[int, _Index, list[tuple[int, bytes, int, int]], int] | None:
        number = seq // _SPAN % _BUCKETS
        file = self._files.get(number)
        if file is None or not file.count:
            return None
        index = self._hot.get(number)
        if index is None:
            index = self._load(number)
        else:
            self._hot.move_to_end(number)
        places = index.places.get(bytes.fromhex(prev.decode()))
        for at, place in enumerate(places or ()):
            if place[0] == seq and places is not None:
                return number, index, places, at
        return None

    def first_from(self, seq: int) -> int | None:
        """The lowest seq, not below `seq`, that waits; None if none does."""
        best = None
        start = seq // _SPAN
        numbers = sorted(self._files, key=lambda number: (number - start) % _BUCKETS)
        for number in numbers:
            if not self._files[number].count:
                continue
            low = min((one for one in self._seqs(number) if one >= seq), default=None)
            if low is not None and (best is None or low < best):
                best = low
                if low // _SPAN < start + _BUCKETS:  # else a later file may hold a lower one
                    break
        return best

    def seqs(self) -> Iterator[int]:
        """The seqs of what waits, file by file."""
        for number in sorted(self._files):
            if self._files[number].count:
                yield from sorted(self._seqs(number))

    def _seqs(self, number: int) -> list[int]:
        index = self._hot.get(number) or self._load(number)
        return [place[0] for places in index.places.values() for place in places]

    def lines(self) -> Iterator[bytes]:
        """Every record that waits, file by file. Nothing may be added meanwhile; what is given may be `drop`ped."""
        for number in sorted(self._files):
            index = self._hot.get(number) or self._load(number)
            for places in list(index.places.values()):
                for _, _, offset, size in list(places):
                    yield self._read(number, index, offset, size)
            self._cool(_HOT)

    def drop(self, seq: int, line: bytes) -> None:
        """A record that waits no longer."""
        own = bytes.fromhex(line[-67:-3].decode())
        found = self._find(seq, line[-141:-77])
        if found is not None:
            number, index, places, _ = found
            for at, place in enumerate(places):
                if place[1] == own:
                    del places[at]
                    index.hashes.discard(own)
                    index.gone += 1
                    self._files[number].count -= 1
                    if not self._files[number].count:
                        self._empty.add(number)
                    return

    # -- files

    def flush(self) -> None:
        """Writes what is not written."""
        for number in self._dirty:
            self._write(number)
        self._dirty.clear()
        self._cool(_HOT)

    def clean(self) -> None:
        """Removes files in which nothing waits any more. What was in them is known to be on the disk elsewhere."""
        for number in list(self._empty):
            if not self._files[number].count:
                self._remove(number)
        self._empty.clear()

    def _remove(self, number: int) -> None:
        file = self._files.pop(number)
        index = self._hot.pop(number, None)
        if index is not None:
            index.let_go()
        if file.size > sum(map(len, file.pending)):
            storage.unlink(self._path(number))
        self._dirty.discard(number)
        self._empty.discard(number)

    def sync(self) -> None:
        """Returns when all that waits is on the disk."""
        for number in self._unsynced & self._files.keys():
            if self._files[number].size:
                fd = storage.open_append(self._path(number), create=True)
                try:
                    storage.sync(fd)
                finally:
                    storage.let_go(fd)
        if self._unsynced:
            storage.sync_directory(self._directory)
            self._unsynced.clear()

    def close(self) -> None:
        """Gives files back."""
        for index in self._hot.values():
            index.let_go()
        self._hot.clear()

    def _path(self, number: int, kind: str = "jsonl") -> str:
        return os.path.join(self._directory, f"{number:05}.{kind}")

    def _write(self, number: int) -> None:
        file = self._files.get(number)
        if file is None or not file.pending:
            return
        fd = storage.open_append(self._path(number), create=True)
        try:
            self._unsynced.add(number)
            storage.write(fd, b"".join(file.pending))
            file.pending.clear()
        finally:
            storage.let_go(fd)

    def _read(self, number: int, index: _Index, offset: int, size: int) -> bytes:
        self._write(number)
        if index.fd < 0:
            index.fd = storage.open_read(self._path(number))
        return storage.read(index.fd, offset, size)

    def _load(self, number: int) -> _Index:
        """Reads a file and knows then where in it what stands; without doubles, which are taken out of it."""
        self._write(number)
        file, index = self._files[number], _Index()
        count, garbage, lines, offset = 0, 0, Lines(), 0
        if file.size:
            with storage.reading(self._path(number)) as fd:
                at = 0
                while data := storage.read(fd, at, _BLOCK):
                    at += len(data)
                    for line in lines.feed(data):
                        if type(line) is not Long and record.own_hash_right(line):
                            if index.put(line, offset):
                                count += 1
                            else:
                                self.doubles += 1
                                garbage += len(line)
                        else:  # cut when the disk was full, or the machine went down
                            garbage += len(line)
                        offset = offset + (line.size if type(line) is Long else len(line))
                file.size = at
        file.count = count
        self._hot[number] = index
        if lines.unfinished or garbage * 2 > file.size:
            self._rewrite(number, file, index)
            return self._load(number) if count else self._hot[number]
        file.settled = file.size
        if not count:
            self._empty.add(number)
        return index

    def _rewrite(self, number: int, file: _File, index: _Index) -> None:
        """Writes a file anew, with what still waits. What does not wait any more is on the disk elsewhere by then."""
        self._write(number)
        self._sync()
        places = sorted(place[2:] for some in index.places.values() for place in some)
        path, size = self._path(number, "new"), 0
        fd = storage.open_append(path, create=True, empty=True)
        try:
            for offset, length in places:
                storage.write(fd, self._read(number, index, offset, length))
                size += length
            storage.sync(fd)
        finally:
            storage.let_go(fd)
        index.let_go()
        storage.replace(path, self._path(number))
        file.size = file.settled = size
        file.count = len(places)
        self._hot.pop(number, None)
        if not places:
            self._hot[number] = _Index()
            self._empty.add(number)

    def _cool(self, most: int) -> None:
        """Forgets indexes that were not asked for longest; what went elsewhere must not be found again later."""
        total = sum(len(index.hashes) for index in self._hot.values()) if len(self._hot) > 8 else 0
        while len(self._hot) > most or (total > 8 * _MOST and len(self._hot) > 2):
            number, index = next(iter(self._hot.items()))
            total -= len(index.hashes)
            if not self._files[number].count:
                self._sync()
                self._remove(number)
                continue
            if index.gone:
                self._rewrite(number, self._files[number], index)
            self._hot.pop(number, index).let_go()
