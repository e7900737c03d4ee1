"""Waiting for the lock with an end to it: the system's own wait has none, so it is done in a thread beside."""

from __future__ import annotations

import threading
import time

from jsonl_audit import storage

__all__ = ["Waiter"]

PAUSE = 0.01
"""Seconds between two tries, only where the system gives no thread to wait in."""


class Waiter:
    """Waits for a lock in the system's own queue; nobody looks again and again whether it is free.

    One wait at a time. A wait that was given up goes on in its thread, and the next one joins it; got for nobody, the
    lock is given back at once.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._asked, self._over = threading.Lock(), threading.Lock()  # open for an instant each: signals
        self._asked.acquire()
        self._over.acquire()
        self.got = -1
        """The descriptor that got the lock in the last wait: whoever waited takes it from here, or closes it."""
        self._fd = -1
        self._wanted = False
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> bool:
        """Whether a wait that was given up still goes on."""
        return self._fd >= 0

    def wait(self, fd: int, timeout: float) -> None:
        """Waits so many seconds; then `got` is `fd`, or the descriptor of an earlier wait, or -1.

        `fd` is the waiter's from here on, whatever comes of it. Raises OSError.
        """
        self.got = -1
        try:
            alone = not self._has_thread()
        except BaseException:
            storage.let_go(fd)
            raise
        if alone:
            self._look_again_and_again(fd, timeout)
            return
        with self._mutex:
            joined = self._fd >= 0
            self._wanted = True
            if not joined:
                self._fd = fd
                self._asked.release()
        if joined:
            storage.let_go(fd)
        try:
            self._over.acquire(timeout=timeout)
        finally:
            with self._mutex:
                if self._wanted:  # nobody came with it
                    self._wanted = False
                else:
                    self._over.acquire(blocking=False)
                    self.got, self._fd = self._fd, -1
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _has_thread(self) -> bool:
        """Sees to the thread; False where there are too many, or the interpreter is ending."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="jsonl_audit lock", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                return False
        return True

    def end(self) -> None:
        """Lets an idle thread go."""
        if self._thread is not None and not self.pending:
            self._fd = -2
            self._asked.release()

    def forked(self) -> None:
        """In a child: its copy of a descriptor that waits must not keep the lock when its parent dies."""
        if self._fd >= 0:
            storage.let_go(self._fd)

    def _run(self) -> None:
        while True:
            self._asked.acquire()
            if self._fd < 0:
                return
            error = None
            try:
                storage.wait_for_lock(self._fd)
            except OSError as refused:
                error = refused
            with self._mutex:
                if self._wanted:
                    self._wanted, self._error = False, error
                    self._over.release()
                else:
                    fd, self._fd = self._fd, -1
                    storage.let_go(fd)  # and the lock with it

    def _look_again_and_again(self, fd: int, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        try:
            while not storage.lock_again(fd) and time.monotonic() < deadline:
                time.sleep(PAUSE)
            self.got = fd if storage.lock_again(fd) else -1
        finally:
            if self.got < 0:
                storage.let_go(fd)
