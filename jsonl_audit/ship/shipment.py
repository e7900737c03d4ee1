"""One log on its way to one destination: the lock there, the note beside the source, artifacts, and then segments."""

from __future__ import annotations

import os
import time
from typing import Any

from jsonl_audit import instants, shipped, storage
from jsonl_audit.accessed.beside import path_beside
from jsonl_audit.errors import AuditError, LogError, RefusedError, StorageError
from jsonl_audit.segment import Names
from jsonl_audit.ship.attached import Attached
from jsonl_audit.ship.earlier import Earlier
from jsonl_audit.ship.filling import Filling
from jsonl_audit.ship.outcome import Shipped
from jsonl_audit.ship.pace import Pace
from jsonl_audit.ship.place import Place, opened
from jsonl_audit.ship.replacing import Replacing
from jsonl_audit.ship.source import Look, Source, VanishedError
from jsonl_audit.ship.standing import begin_of, check_log
from jsonl_audit.ship.way import Way

__all__ = ["Shipment"]

LOOKS = 20
"""How often files that are renamed or purged while they are shipped are looked for again."""


class Shipment:
    """One log and one destination. After an error nothing is assumed: all is looked at anew."""

    def __init__(
        self, path: str, destination: str | os.PathLike[str], pace: Pace, outcome: Shipped,
        *, hold: bool, again: bool, artifacts: bool, options: dict[str, Any] | None,
    ) -> None:  # fmt: skip
        self.names = Names.of(path)
        self.outcome = outcome
        self._pace = pace
        self._hold = hold
        self._again = again
        self._artifacts = artifacts
        self.place: Place = opened(destination, os.path.basename(self.names.path), options)
        if self.place.address == self.names.directory:
            raise LogError("a log cannot be shipped into the folder that it lies in; give another", path=path)
        self._is_beside = self.names.path.endswith(f".d{os.sep}accessed.jsonl")
        self._reads: Shipment | None = None
        self._destination, self._options = destination, options
        outcome.source, outcome.destination = self.names.path, self.place.address
        self._source: Source | None = None
        self._filling: Way | None = None
        self._attached: Attached | None = None
        self._log = ""
        self._due = 0  # the first segment of which nothing has arrived
        self._said: shipped.Arrived | None = None

    def round(self) -> bool:
        """Brings what is new at the source. Whether there was any.

        Raises StorageError, LogError, RefusedError; then all is looked at anew the next time.
        """
        moved = self.outcome.bytes
        try:
            for left in range(LOOKS, -1, -1):
                try:
                    self._round()
                    break
                except VanishedError:
                    if not left:
                        raise
        except OSError as error:
            self.close()
            raise StorageError.of(error, "shipping ended early; what has arrived stays", self.place.address) from error
        except BaseException:
            self.close()
            raise
        return self.outcome.bytes > moved

    def _round(self) -> None:
        source = self._source = self._source or Source(self.names.path)
        look = source.look()
        if self._log and look.log != self._log:
            raise LogError(
                f"another log lies at the source now ({look.log}); nothing of it was shipped. Ship it elsewhere",
                path=self.names.path, expected=self._log, actual=look.log,
            )  # fmt: skip
        self._log = self.outcome.log = look.log
        for name in look.foreign:
            what = "it is of another log, or a link to what is no segment, and was not shipped"
            self.outcome.met("note", what, self._beside(name))
        if self._filling is None:
            self._filling = self._begin(source, look)
            if self._hold and self._said is not None:  # retention waits only since then
                look = source.look()
        if self._attached is not None:
            self._attached.round()
        self._expect(look)
        self._gone(look)
        self._filling.round(look)
        self._round_beside()
        if source.damaged:
            self.outcome.met(
                "damaged",
                f"{source.damaged} places in the active segment are not what was committed; they were copied as they "
                "are. Run jsonl-audit verify on the source",
                self.names.path,
            )

    def _round_beside(self) -> None:
        """The record of who read this log, into the folder beside the copy. It is bounded, and waits for nobody."""
        path = path_beside(self.names)
        if self._reads is None and not self._is_beside and storage.exists(path):
            self.outcome.accessed = Shipped("", "", tell=self.outcome.tell)
            folder = f"{os.fspath(self._destination)}/{os.path.basename(self.names.path)}.d"
            self._reads = Shipment(
                path, folder, self._pace, self.outcome.accessed,
                hold=False, again=self._again, artifacts=False, options=self._options,
            )  # fmt: skip
        if self._reads is not None and self.outcome.accessed is not None and self.outcome.accessed.error is None:
            try:
                self._reads.round()
            except StorageError:
                raise
            except AuditError as error:  # the log itself goes on
                self.outcome.accessed.error = error
                self.outcome.met("different", f"the record of who read the log is not shipped: {error}", path)

    def _begin(self, source: Source, look: Look) -> Way:
        active = os.path.basename(self.names.path)
        if self.place.size(active):  # not even the lock of another log is touched
            check_log(begin_of(self.place, active)[0], look.log, self.place.shown(active))
        self.place.take()
        before = self._before()
        reached = before.seq if before is not None else 0
        earlier = Earlier(self.names, self.place, self.outcome, self._pace, reached, self._again)
        kind: type[Way] = Filling if self.place.appends else Replacing
        filling = kind(source, self.place, self.outcome, self._pace, self._arrived, earlier)
        there = filling.frontier(look)
        if before is not None and before.segment and not self._again and there < (before.segment, before.bytes):
            raise RefusedError(
                f"records up to {before.seq} had arrived here ({before.time}), and are not here now. Is the right disk "
                "mounted? Nothing was written; to send all again that the source still has, use --again",
                path=self.place.address, seq=before.seq,
            )  # fmt: skip
        self._due = there[0] + bool(there[1])
        if self._artifacts:
            self._attached = Attached(self.names, self.place, self.outcome, self._pace)
        if before is None:
            self._arrived(0, 0, 0, "")
        else:
            self.outcome.segment, self.outcome.seq, self.outcome.head = before.segment, before.seq, before.hash
        return filling

    def _before(self) -> shipped.Arrived | None:
        """What an earlier shipper has noted of this log and this destination."""
        own = shipped.path_of(self.names, self.place.address)
        try:
            found = [each for each in shipped.read(self.names) if each.path == own and each.log == self._log]
        except OSError as error:
            self._unnoted(error)
            return None
        return found[0] if found else None

    def _arrived(self, segment: int, size: int, seq: int, head: str) -> None:
        """So far is on the destination's disk: what is kept for it at the source may go."""
        self.outcome.segment, self.outcome.seq, self.outcome.head = segment, seq, head
        if not self._hold or (self._said is not None and (segment, size) == (self._said.segment, self._said.bytes)):
            return
        now = instants.text(time.time_ns() // 1000)
        said = shipped.Arrived(self.place.address, self._log, segment, size, seq, head, now)
        try:
            shipped.write(self.names, said)
        except OSError as error:
            self._unnoted(error)
        self._said = said

    def _unnoted(self, error: OSError) -> None:
        self.outcome.met(
            "note",
            f"how far it has arrived cannot be noted beside the log ({error.strerror}): retention there does not wait "
            "for this destination",
            self.names.path,
        )

    def _gone(self, look: Look) -> None:
        """Names segments that are not at the source any more and of which nothing had arrived."""
        for piece in look.pieces:
            if piece.number < self._due:
                continue
            if 0 < self._due < piece.number and not look.others:
                self.outcome.met(
                    "incomplete",
                    f"segments {self._due} to {piece.number - 1} are gone at the source and had not arrived. Look for "
                    "them in another copy",
                    self.names.path,
                )
            self._due = piece.number + 1

    def _expect(self, look: Look) -> None:
        """Says how much there is to do, as far as it is known."""
        pace, filling = self._pace, self._filling
        assert filling is not None
        pace.total = pace.moved + filling.remaining(look)

    def _beside(self, name: str) -> str:
        return os.path.join(self.names.directory, name)

    def close(self) -> None:
        """Lets go of everything. Another round opens it anew."""
        source, self._source, self._filling, self._attached = self._source, None, None, None
        if source is not None:
            source.close()
        if self._reads is not None:
            self._reads.close()
        self.place.release()
