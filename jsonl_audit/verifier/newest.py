"""The newest segment, and any other that no successor's header speaks of: walked, and its end judged by itself."""

from __future__ import annotations

from jsonl_audit import record, storage
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError
from jsonl_audit.mark import Mark
from jsonl_audit.verifier import digest
from jsonl_audit.verifier.artifacts import look
from jsonl_audit.verifier.checked import Checked
from jsonl_audit.verifier.files import File
from jsonl_audit.verifier.walks import Walked
from jsonl_audit.verifier.work import Work

__all__ = ["check"]

_TORN = {
    "piece": "the last line stops in the middle",
    "batch": "the file ends in the middle of a batch, which never happened",
    "hole": "a block is lost, and all that stands behind it never counted",
}
_LOOKS = 5


def check(file: File, number: int, work: Work, *, newest: bool = True) -> Checked:
    """What is to be said of the segment; `newest` is False for one whose successor is not here.

    Raises Vanished, StorageError.
    """
    checked = Checked(file, number)
    checked.begins_badly()
    try:
        with file.open() as content:
            _check(checked, content, work, newest)
    except NotALogError as error:
        if not file.broken:
            checked.add("segment-altered", error.message)
    return checked


def _check(checked: Checked, content: Content, work: Work, newest: bool) -> None:
    mark = _believed(checked, content)
    walk, stop, held = _walk(checked, content, work, mark)
    checked.walked(walk)
    if walk.torn and walk.torn_at == walk.end:
        checked.tip = walk.last  # what is torn, a batch perhaps, never happened
    look(checked, content)
    if mark is not None:
        _against_mark(checked, content, walk, mark)
    _end(checked, content, walk, stop, held, mark, newest)


def _walk(checked: Checked, content: Content, work: Work, mark: Mark | None) -> tuple[Walked, int, bool]:
    """A walk, how far it went, and whether somebody was writing meanwhile."""
    lock = checked.file.lock
    known = 0 if mark is None else mark.synced
    stop = content.size if mark is None or not mark.failed else known
    looks = 0
    while True:
        held = lock is not None and storage.probe(lock)
        walk = work.walk(checked.file, content, stop, known)
        looks += 1
        if not walk.torn or lock is None:
            return walk, stop, held
        if held or storage.probe(lock) or looks > _LOOKS:
            return walk, stop, True
        # Nobody holds the lock now: perhaps a commit was being written just as the file was read, and is whole by now.
        grown = content.grown()
        if grown <= stop or stop != content.size or content.compressed:
            return walk, stop, False
        content.size = stop = checked.file.size = grown


def _believed(checked: Checked, content: Content) -> Mark | None:
    """What the mark says, if it speaks of this very file: a copy has another inode."""
    mark, header = checked.file.mark, checked.header
    if mark is None or header is None or mark.inode != content.key:
        return None
    return mark if (mark.log, mark.segment) == (header.log, header.segment) else None


def _against_mark(checked: Checked, content: Content, walk: Walked, mark: Mark) -> None:
    """What was known to be on the disk is neither torn nor gone: it is damaged."""
    cut = content.size < mark.synced
    if cut or (walk.torn and walk.torn_at < mark.synced):
        where = content.size if cut else walk.torn_at
        checked.add(
            "records-missing",
            f"the lock file says that {mark.synced} bytes were on the disk; from byte {where} on they are not there",
            seq=walk.last.seq + 1 if walk.last else None,
            offset=where,
            expected=mark.synced,
            actual=where,
        )
    elif not walk.damaged:
        line = digest.last_line(content, mark.synced)
        if line[-67:-3].decode("ascii", "replace") != mark.hash:
            checked.add(
                "chain-broken",
                "another record ends there than the lock file says",
                seq=record.seq_of(line) or None,
                offset=mark.synced - len(line),
                expected=mark.hash,
                actual=line[-67:-3].decode("ascii", "replace"),
            )


def _end(
    checked: Checked, content: Content, walk: Walked, stop: int, held: bool, mark: Mark | None, newest: bool
) -> None:
    synced = 0 if mark is None else mark.synced
    behind = content.size - stop
    if content.cut and not walk.torn:
        what, where = "the compressed data end in the middle", content.size
    elif walk.torn and walk.torn_at >= synced:
        what, where = _TORN[walk.torn], walk.torn_at
    elif behind > 0:
        what, where = "a sync had failed, and what stands behind it does not count", stop
    else:
        return
    size = content.size - where
    if held:
        checked.note("unfinished", f"somebody is writing: {what} ({size} bytes)", offset=where)
        return
    lines = f", {walk.void_lines} whole lines among them" if walk.void_lines else ""
    gone = "" if newest else "; the header that would account for it is not here"
    checked.add("torn-tail", f"{what} ({size} bytes{lines}){gone}", offset=where)
