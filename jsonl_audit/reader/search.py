"""Bytes searched before anything is parsed: which lines of a window may fit, told by what a fitting line must hold."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["Search"]

_WORTH_IT = 24 << 20
"""From so many bytes on, the C library's search is worth the time that loading ctypes takes."""


class Search:
    """Looks in one window after another for lines that hold at least one needle of a set.

    Every set in `sets` must be met by a line that fits; the one searched for is the one that the first window holds
    least often, since a rare value leaves the fewest lines to look at.
    """

    def __init__(self, sets: Sequence[tuple[bytes, ...]]) -> None:
        self._sets = sets
        self._needles: tuple[bytes, ...] = ()
        self._searched = 0

    def spans(self, data: bytes, begin: int, cut: int) -> Iterator[tuple[int, int]]:
        """Where in ``data[begin:cut]``, which is whole lines, such lines begin and end (LF included)."""
        if not self._needles:
            counted = [(sum(data.count(needle) for needle in needles), needles) for needles in self._sets]
            self._needles = min(counted, key=lambda pair: (pair[0], -min(map(len, pair[1]))))[1]
        if self._is_absent(data):
            return
        needles = list(self._needles)
        places = [data.find(needle, begin, cut) for needle in needles]
        while True:
            for index in range(len(places) - 1, -1, -1):
                if places[index] < 0:
                    del places[index], needles[index]
            if not places:
                return
            place = min(places)
            start = data.rfind(b"\n", begin, place) + 1 or begin
            stop = data.find(b"\n", place, cut) + 1 or cut
            yield start, stop
            places = [
                data.find(needle, stop, cut) if at < stop else at
                for needle, at in zip(needles, places, strict=True)
            ]

    def _is_absent(self, data: bytes) -> bool:
        """Whether no needle is in the window, told faster than `bytes.find` could; False where that is not known."""
        self._searched += len(data)
        if self._searched <= _WORTH_IT and "ctypes" not in sys.modules:
            return False
        search = _c_search()
        return search is not None and all(
            not search(data, len(data), needle, len(needle)) for needle in self._needles
        )


@functools.cache
def _c_search() -> Any:
    """memmem of the C library, several times as fast as `bytes.find` and without the interpreter's lock, or None."""
    try:
        import ctypes

        search = ctypes.CDLL(None).memmem
    except (ImportError, OSError, AttributeError, TypeError):  # Windows has none
        return None
    search.restype = ctypes.c_void_p
    search.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
    return search
