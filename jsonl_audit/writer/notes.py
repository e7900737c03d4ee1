"""What a person should know of opening and going on: a sentence each, kept here and sent to the logger."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator

__all__ = ["Notes"]

KEPT = 100
"""So many: what fails each second, for days, must not fill the memory."""


class Notes:
    """The last notes of one log."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._kept: deque[str] = deque(maxlen=KEPT)
        self.untold: deque[str | Callable[[], None]] = deque(maxlen=KEPT)
        """What the logger has not been told yet, and what else is put off to the same moment."""
        self.later = False
        """Somebody holds what a handler may wait for, and tells when that is over."""

    def add(self, note: str) -> None:
        """Keeps a note; `tell` hands it on."""
        self._kept.append(note)
        self.untold.append(note)

    def tell(self) -> None:
        """Warns by the logger ``jsonl_audit``.

        Not in the middle of a commit: a handler may append to this very log, wait for another thread, or raise.
        """
        while self.untold and not self.later:
            try:
                note = self.untold.popleft()
            except IndexError:  # another thread told it
                break
            if not isinstance(note, str):
                note()
                continue
            import logging  # only where there is something to say: most programs that append never load it

            with contextlib.suppress(Exception):  # a handler's failure is none of the log's
                logging.getLogger("jsonl_audit").warning("%s: %s", self._path, note)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)
