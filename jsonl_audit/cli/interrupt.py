"""Ctrl-C and SIGTERM while standard input is appended: between two commits, never in the middle of one."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interrupt"]


class Interrupt:
    """Within its `with`, the signals end the waiting for more input and nothing else; `status` says how."""

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, Any] = {}
        self._wake: tuple[int, int] | None = None

    @property
    def status(self) -> int:
        """The exit status of a process ended by that signal; 0 if there was none."""
        return 128 + self.signal if self.signal else 0

    TICK = b"\0tick"
    """What a reading gives where nothing came for a while."""

    def reading(self, read: Callable[[], bytes], *, every: float | None = None) -> Callable[[], bytes]:
        """`read`, which is over as soon as a signal came. With `every`, it gives TICK after so many idle seconds."""

        def wait_and_read() -> bytes:
            if self._wake is not None and not self.signal:
                with contextlib.suppress(OSError, ValueError, AttributeError):  # what cannot be waited for is ready
                    if not select.select([sys.stdin.fileno(), self._wake[0]], [], [], every)[0]:
                        return self.TICK
            return b"" if self.signal else read()

        return wait_and_read

    def __enter__(self) -> Interrupt:
        if sys.platform == "win32":  # no select for a console or a pipe there
            return self
        self._wake = os.pipe()
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._came)
        except ValueError:  # not the main thread: signals are somebody else's
            self._close()
        return self

    def _came(self, number: int, _: FrameType | None) -> None:
        if self.signal:  # asked twice: now
            raise KeyboardInterrupt
        self.signal = number
        if self._wake is not None:
            os.write(self._wake[1], b"x")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._close()

    def _close(self) -> None:
        if self._wake is not None:
            for fd in self._wake:
                os.close(fd)
            self._wake = None
