"""Any bytes as the files of a log: opening refuses them untouched, or keeps every byte and goes on whole."""

from __future__ import annotations

import contextlib
import gzip
import re
import warnings
import zlib
from pathlib import Path
from typing import Any

from driver import Folder, descriptors, main
from folders import NAME, changed, content_of, lay_out, parts_of, seeds

from jsonl_audit import AuditLog
from jsonl_audit.errors import LogError, NewerFormatError, SealError, StorageError
from jsonl_audit.reader import tail
from jsonl_audit.verifier import verify
from jsonl_audit.verifier.report import VERDICTS, Report

REFUSED = (LogError, StorageError)
"""What opening and appending may raise: docs/reference/errors.md."""

folder = Folder()


def judged(path: Path) -> Report | None:
    """What a full verification says; None where there is no log to verify."""
    try:
        return verify(path, full=True, workers=1)
    except REFUSED as error:
        assert str(error)
        return None


def still_there(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """The files of which a byte is gone. The lock file is written over, and a next segment without records anew."""
    gone = []
    for name, content in before.items():
        if name == f"{NAME}.lock" or (name == f"{NAME}.next" and content.find(b"\n") in (-1, len(content) - 1)):
            continue
        if not any(other.startswith(content) for other in after.values()):
            gone.append(name)
    return gone


def in_order(files: dict[str, bytes]) -> bool:
    """Whether the names of the sealed segments give the order that their headers give.

    Where somebody renamed them, opening looks at the last name only: an older active file may pass for the newest.
    """
    numbers = []
    for name in sorted(name for name in files if name.startswith(("audit.2", "audit.9"))):
        content = files[name]
        with contextlib.suppress(OSError, EOFError, zlib.error):
            content = gzip.decompress(content) if name.endswith(".gz") else content
        found = re.search(rb'"segment":(\d+)', content.partition(b"\n")[0])
        numbers.append(int(found[1][:20]) if found else 0)
    return numbers == sorted(set(numbers))


def appended(log: AuditLog, acts: int) -> list[str]:
    """Appends in the ways that there are; the ids of the new records, oldest first."""
    ids = [log.append("fuzz.new", text="é").id]
    if acts & 1:
        ids += [receipt.id for receipt in log.append_many([{"type": "fuzz.many", "n": n} for n in range(3)])]
    if acts & 2:
        with contextlib.suppress(SealError):  # a next segment with records in it is in the way
            log.rotate()
        ids += [log.append({"type": "fuzz.behind"}).id]
    return ids


def target(data: bytes) -> None:
    options, parts = parts_of(data)
    path = lay_out(parts, folder.fresh())
    before, opened, was = content_of(path.parent), descriptors(), judged(path)
    how: dict[str, Any] = {
        "shared": bool(options & 1), "fsync": "never" if options & 2 else "always",
        "max_bytes": 2000 * (options >> 2 & 1),
    }  # fmt: skip
    try:
        log = AuditLog(path, space_left=None, lock_timeout=0, **how)
    except REFUSED as error:
        assert str(error)
        after = content_of(path.parent)
        after.pop(f"{NAME}.lock", None)
        before.pop(f"{NAME}.lock", None)
        assert after == before, f"refused ({error}), and yet changed"
        assert descriptors() == opened, "a file is left open"
        return
    with log:
        ids = appended(log, options >> 3)
        notes = "".join(log.notes)
    after = content_of(path.parent)
    gone = [name for name in still_there(before, after) if f"removed {name}" not in notes]
    assert not gone, (gone, notes)
    assert descriptors() == opened, "a file is left open"
    now = judged(path)
    assert now is not None
    try:
        assert [record["id"] for record in tail(path, len(ids), on_damage=lambda _: None)] == ids
    except NewerFormatError:
        assert now.verdict not in ("intact", "torn")  # a sealed segment of a later format
    if was is None:
        was_verdict = "incomplete"  # nothing of a log, or an empty one
    else:
        was_verdict = {"torn": "intact", "empty": "incomplete"}.get(was.verdict, was.verdict)
    if in_order(before):
        assert VERDICTS.index(now.verdict) <= VERDICTS.index(was_verdict), (was and was.findings, now.findings)
    with AuditLog(path, space_left=None, fsync="never") as log:
        assert log.head == now.head or now.verdict in ("forked", "tampered")
        assert not any("sealed as it is" in note for note in log.notes), log.notes
    again = content_of(path.parent)
    for name, content in after.items():
        if not name.endswith(".lock"):
            assert again.get(name) == content or f"removed {name}" in "".join(log.notes), f"opened again: {name}"


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(target, seeds(), changed)
