"""The artifacts of a log on their way: before the records that refer to them, each checked against its name."""

from __future__ import annotations

import os
import re
from typing import Any

from jsonl_audit import storage
from jsonl_audit.artifacts.reading import state_of
from jsonl_audit.artifacts.store import folder_of
from jsonl_audit.content import Content
from jsonl_audit.segment import Names
from jsonl_audit.ship.compare import same_beginning
from jsonl_audit.ship.growing import put_whole
from jsonl_audit.ship.outcome import Shipped
from jsonl_audit.ship.pace import Pace
from jsonl_audit.ship.place import Place
from jsonl_audit.ship.source import AsItLies

__all__ = ["Attached"]

_NAME = re.compile(r"([0-9a-f]{64})(?:\.zst)?")


class Attached:
    """The folder of artifacts of one log, and the one at the place. What was seen there once is not looked at again."""

    def __init__(self, names: Names, place: Place, outcome: Shipped, pace: Pace) -> None:
        self._folder = folder_of(names)
        self._below = f"{os.path.basename(names.path)}.d/artifacts"
        self._place = place
        self._outcome = outcome
        self._pace = pace
        self._listed: Any = None  # when the folder was last changed before it was listed
        self._done: set[str] = set()

    def round(self) -> None:
        """Brings what is new. Raises OSError."""
        try:
            found = storage.stat(self._folder)
            changed = (found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
            if changed == self._listed:
                return
            names = sorted(storage.list_directory(self._folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            if self._pace.stopped:
                return
            own = _NAME.fullmatch(name)
            if own is not None and name not in self._done and self._bring(name, own[1]):
                self._done.add(name)
        self._listed = changed if storage.stat(self._folder).st_mtime_ns == changed[1] else None

    def _bring(self, name: str, own: str) -> bool:
        path, target = os.path.join(self._folder, name), f"{self._below}/{name}"
        try:
            with AsItLies(path) as content:
                found, lies = storage.stat(content.fd), storage.lstat(path)
                if (lies.st_dev, lies.st_ino) != (found.st_dev, found.st_ino):
                    self._outcome.met("damaged", "a link stands in the place of this artifact; it was not copied", path)
                    return True
                there = self._place.size(target)
                if there is not None and self._place.kept(target, found):
                    return True
                if state_of(path, own) != "whole":
                    self._outcome.met("damaged", "this artifact is not what its name says; it was not copied", path)
                    return True
                if there is None:
                    put = put_whole(content, self._place, target, self._pace, self._outcome)
                    if put is None:
                        return False
                    self._outcome.bytes += put
                    self._outcome.artifacts += 1
                elif there != content.size or not self._same(content, target, there):
                    self._outcome.met(
                        "different",
                        "this artifact is not the one at the source, which is what its name says; it was not written "
                        "over. Move it away, and ship again",
                        self._place.shown(target),
                    )
                else:
                    self._place.keep(target, found)
        except FileNotFoundError:  # compressed, or removed, just now
            return False
        return True

    def _same(self, content: Content, target: str, size: int) -> bool:
        return same_beginning(content, self._place, target, size) is not None
