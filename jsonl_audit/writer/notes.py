"""What a person should know of opening and going on: a sentence each, kept here and sent to the logger."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

__all__ = ["Notes"]

KEPT = 100
"""So many: what fails each second, for days, must not fill the memory."""


class Notes:
    """The last notes of one log."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._kept: deque[str] = deque(maxlen=KEPT)

    def add(self, note: str) -> None:
        """Keeps a note, and warns by the logger ``jsonl_audit``."""
        import logging  # only where there is something to say: most programs that append never load it

        self._kept.append(note)
        logging.getLogger("jsonl_audit").warning("%s: %s", self._path, note)

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)
