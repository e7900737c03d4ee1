"""How far the active segment is on disk: syncs, what a failed one means, and the mark that says so."""

from __future__ import annotations

import threading
import time

from jsonl_audit import storage
from jsonl_audit.errors import SyncError
from jsonl_audit.writer.active import Active
from jsonl_audit.writer.lock import Lock

__all__ = ["Durable"]

MARK_EVERY = 1_000_000_000  # ns


class Durable:
    """Syncs the active segment, one sync at a time, and leaves the mark.

    The system tells of a failed sync once, to whoever syncs first: of two that overlap, the other would hear that all
    is well. So what one was told holds for every later one of the same segment.
    """

    def __init__(self, lock: Lock, fsync: str) -> None:
        self.failed = False
        """A sync of this segment failed: nothing more goes into its file."""
        self.syncs = 0
        self.said = False
        """Whether the mark says so: else another process may yet take for records what does not count here."""
        self._lock = lock
        self._fsync = fsync
        self._one = threading.Lock()
        self._failure: tuple[Active, OSError] | None = None
        self._marked = 0

    def sync_file(self, active: Active, fd: int) -> OSError | None:
        """Syncs the segment's file. Returns what went wrong, now or with an earlier sync of the segment."""
        with self._one:
            if self._failure is not None and self._failure[0] is active:
                return self._failure[1]
            self.syncs += 1
            try:
                storage.sync(fd)
            except OSError as error:
                self._failure = (active, error)
                return error
            return None

    def sync(self, active: Active) -> None:
        """Returns when what is counted in the segment is on disk. Raises SyncError."""
        if active.synced < active.size:
            self.must_sync(active)
            self.synced(active, active.size, active.head)

    def must_sync(self, active: Active) -> None:
        """Syncs the file, whatever is counted. Raises SyncError."""
        failure = self.sync_file(active, active.fd)
        if failure is not None:
            raise self.fail(active, failure) from failure

    def synced(self, active: Active, size: int, head: str) -> None:
        """Says that the file is on disk up to `size`, where the record with hash `head` ends."""
        active.synced, active.synced_head = size, head

    def fail(self, active: Active, error: OSError) -> SyncError:
        """Nothing behind the last good sync counts from here on, and the lock file says so first."""
        self.failed = True
        self.said = self.mark(active)
        return self.told(error)

    def told(self, error: OSError) -> SyncError:
        """What is raised for a sync that failed."""
        return SyncError(
            f"a sync failed ({error.strerror}): what was appended since the last good one is not known to be on disk; "
            "the next append goes on in a new segment",
            path=self._lock.names.path,
            errno=error.errno,
        )

    def must_not_have_failed(self) -> None:
        """Raises SyncError where a sync failed, perhaps in the background, and nothing was appended since."""
        if self.failed:
            raise SyncError(
                "an earlier sync failed: what was appended since the last good one may be lost; the next append goes "
                "on in a new segment and says what was lost",
                path=self._lock.names.path,
                errno=self._failure[1].errno if self._failure is not None else None,
            )

    def mark(self, active: Active) -> bool:
        """Leaves the mark. Where it cannot be written the older one stands: it promises less, and is as true.

        Where nothing is known to be on disk there is nothing to say. Returns whether it was left.
        """
        self._marked = time.monotonic_ns()
        if not active.synced:
            return False
        try:
            self._lock.write_mark(active, self._fsync, failed=self.failed)
        except OSError:
            return False
        return True

    def mark_now_and_then(self, active: Active) -> bool:
        """Leaves the mark where the last one is a second old; False where it is too early for that."""
        if time.monotonic_ns() - self._marked <= MARK_EVERY:
            return False
        self.mark(active)
        return True
