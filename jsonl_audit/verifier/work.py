"""The work of a verification: reading, hashing and walking, on as many cores as it may use, with its progress."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from jsonl_audit.content import Content
from jsonl_audit.verifier import digest, walks
from jsonl_audit.verifier.files import File
from jsonl_audit.verifier.pool import Pool
from jsonl_audit.verifier.walks import Part, Walked

__all__ = ["Work", "cores"]

_WORTH_IT = 24 << 20  # bytes: below this, other processes take longer to start than to help
_WORTH_THREADS = 4 << 20
_ENOUGH = 16  # each takes memory, and the disk or the memory bus is at its end long before

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Work:
    """Does the work of one verification. Threads share it.

    `full`: every line is walked. `progress` is called with the bytes done and the bytes that there are, never by two
    threads at once. `workers`: how many cores to use; all by default.
    """

    def __init__(
        self, *, full: bool, progress: Callable[[int, int], None] | None = None, workers: int | None = None
    ) -> None:
        self.full = full
        self.whole: set[str] = set()
        """Hashes of the artifacts that were found to be whole."""
        self.workers = max(1, min(cores(), _ENOUGH) if workers is None else workers)
        self._progress = progress
        self._lock = threading.Lock()
        self._done = self._total = 0
        self._digests: dict[tuple[tuple[int, int], int, str | bytes, int, int], str] = {}
        self._pool: Pool | None = None
        self._several = False  # segments at once: then it is worth it for small ones too

    def begin(self, files: Iterable[File]) -> None:
        """Says which files will be read, so that progress is of a whole."""
        self._done, self._total, self._several = 0, sum(file.size for file in files), False
        if self._progress is not None:
            self._progress(0, self._total)

    def read(self, count: int) -> None:
        """Says that so many bytes more were read."""
        if self._progress is None:
            return
        with self._lock:
            self._done = min(self._done + count, self._total)
            self._progress(self._done, self._total)

    def blake3(self, file: File, content: Content, start: int, stop: int) -> str:
        """BLAKE3 of a part of a file; what was hashed before is not hashed again when the files are listed again."""
        # By its header too: the inode of a file that was purged may be that of a later segment by now.
        key = (file.key, file.size, file.header.hash if file.header is not None else file.text, start, stop)
        found = self._digests.get(key)
        if found is None:
            found = self._digests[key] = digest.blake3_of(content, start, stop, None if self.full else self.read)
        return found

    def walk(self, file: File, content: Content, stop: int, known: int = 0) -> Walked:
        """A strict walk over a file up to `stop`: in parts, in other processes, where that is quicker.

        Up to `known` the file is known to have been on the disk.
        """
        much = self._total if self._several and self.full else stop
        if self.workers > 1 and much >= _WORTH_IT and not content.compressed:
            parts = walks.parts_of(content, stop)
            with self._lock:
                self._pool = self._pool or Pool(self.workers)
            found = walks.joined(parts, self._pool.walk(file, content, parts, self.read))
            if found is not None and (found.torn is None or found.torn_at >= known):
                return found
        return walks.walk(content, Part(0, stop, None), self.read, known=known)

    def each(self, do: Callable[[Item], Result], items: list[Item]) -> Iterator[Result]:
        """`do` with every item, several at once; the results in order."""
        if self.workers < 2 or len(items) < 2 or self._total < _WORTH_THREADS:
            yield from map(do, items)
            return
        self._several = True
        with ThreadPoolExecutor(self.workers) as threads:
            yield from threads.map(do, items)

    def close(self) -> None:
        """Ends the other processes."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> Work:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
