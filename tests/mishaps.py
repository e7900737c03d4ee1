"""What goes wrong in the middle of one call on a simulated disk: a failing system call, a kill, a power cut."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from simdisk import Inode, Mount, SimDisk

__all__ = ["Death", "Died", "Fault", "Mishap"]


class Died(BaseException):
    """The program is no more: nothing that it still does reaches the disk."""


class Mishap:
    """Something that happens in the middle of a call, once; or not at all, where the call does not come so far."""

    def __init__(self, nth: int) -> None:
        self.happened = False
        self._left = nth

    @contextmanager
    def within(self, mount: Mount) -> Iterator[None]:
        """It may happen in here."""
        self._arm(mount)
        try:
            yield
        finally:
            mount.fault = mount.disk.watch = None

    def _arm(self, mount: Mount) -> None:
        raise NotImplementedError

    def _now(self) -> bool:
        self._left -= 1
        self.happened = self.happened or not self._left
        return not self._left


class Fault(Mishap):
    """The n-th call of a name fails, with none of it done or all; of a write, with any part."""

    def __init__(self, name: str, nth: int, number: int, done: float) -> None:
        super().__init__(nth)
        self.name = name
        self._error = number
        self._done = done

    def __repr__(self) -> str:
        return f"Fault({self.name!r}, {self._left}, {self._error}, {self._done})"

    def _arm(self, mount: Mount) -> None:
        def call(name: str, args: tuple[Any, ...], go: Callable[[], Any]) -> Any:
            if name != self.name or not self._now():
                return go()
            if name == "write":
                fd, data = args
                mount.disk.write(fd, data[: round(len(data) * self._done)])
            elif name == "sync" and self._done < 1:
                mount.disk.fail_sync(*args)
            elif name == "close":
                go()  # the descriptor is gone in any case
            elif self._done == 1 and name not in ("lock", "lock_again"):
                made = go()
                if name in ("duplicate", "open_append", "open_lock", "open_read"):
                    mount.disk.close(made)  # the file may be there now; a descriptor nobody got
            path = args[:1] if isinstance(args[0], str) else ()
            raise OSError(self._error, os.strerror(self._error), *path)

        mount.fault = call


class Death(Mishap):
    """The program dies before the n-th step that changes anything; of a write, with any part of it done.

    `before` is the disk as it stood at that moment: a power cut takes it from there.
    """

    def __init__(self, nth: int, part: float, *, power: random.Random | None = None) -> None:
        super().__init__(nth)
        self.power = power
        """By which lot what a power cut leaves is drawn; None where only the program dies."""
        self.before = SimDisk()
        self._nth = nth
        self._part = part

    def __repr__(self) -> str:
        return f"{'PowerCut' if self.power else 'Kill'}(before step {self._nth}, {self._part} of it)"

    def _arm(self, mount: Mount) -> None:
        disk = mount.disk

        def step(what: str) -> None:
            if self._now():
                if what == "write" and disk.written is not None:
                    number, data = disk.written
                    node = disk.nodes[number]
                    assert isinstance(node, Inode)
                    node.put(node.data + data[: round(len(data) * self._part)])
                self.before = disk.copy()
                mount.fault = nothing
                raise Died

        def nothing(name: str, args: tuple[Any, ...], go: Callable[[], Any]) -> Any:
            if name != "close":
                raise Died

        disk.watch = step
